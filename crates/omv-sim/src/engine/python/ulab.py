# `ulab`: of its arrays what scripts around networks use.
import _numpy as numpy
