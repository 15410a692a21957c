//! Names of the operators and of the types of numbers, in the order of the schema.
//!
//! Source: tensorflow/tensorflow `tensorflow/compiler/mlir/lite/schema/schema.fbs`
//! (`BuiltinOperator`, `TensorType`), as the Python package `tflite` 2.18.0 gives them.

use std::fmt;

/// Number of the operator that stands for one known by name only.
pub const CUSTOM: u32 = 32;

/// The schema's name of a built-in operator; none for a number that it does not have.
#[must_use]
pub fn name(code: u32) -> Option<&'static str> {
    NAMES.get(usize::try_from(code).ok()?).copied()
}

#[rustfmt::skip]
const NAMES: &[&str] = &[
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP",
    "L2_NORMALIZATION", "L2_POOL_2D", "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION",
    "LSTM", "MAX_POOL_2D", "MUL", "RELU", "RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR",
    "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH", "CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL",
    "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD", "UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER",
    "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN", "SUB", "DIV", "SQUEEZE",
    "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN", "EXP", "TOPK_V2",
    "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU", "MAXIMUM",
    "ARG_MAX", "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL",
    "SELECT", "SLICE", "SIN", "TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL",
    "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT", "SHAPE", "POW", "ARG_MIN", "FAKE_QUANT",
    "REDUCE_PROD", "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT", "LOGICAL_AND", "LOGICAL_NOT",
    "UNPACK", "REDUCE_MIN", "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL", "FLOOR_MOD",
    "RANGE", "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS",
    "SPLIT_V", "UNIQUE", "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK", "ELU",
    "REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "IF",
    "WHILE", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "SCATTER_ND", "SELECT_V2",
    "DENSIFY", "SEGMENT_SUM", "BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM",
    "CALL_ONCE", "BROADCAST_TO", "RFFT2D", "CONV_3D", "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE",
    "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "REDUCE_ALL", "CONV_3D_TRANSPOSE",
    "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL",
    "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU", "DYNAMIC_UPDATE_SLICE", "RELU_0_TO_1",
    "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "ATAN2",
    "UNSORTED_SEGMENT_MIN", "SIGN", "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT", "STABLEHLO_LOGISTIC",
    "STABLEHLO_ADD", "STABLEHLO_DIVIDE", "STABLEHLO_MULTIPLY", "STABLEHLO_MAXIMUM",
    "STABLEHLO_RESHAPE", "STABLEHLO_CLAMP", "STABLEHLO_CONCATENATE", "STABLEHLO_BROADCAST_IN_DIM",
    "STABLEHLO_CONVOLUTION", "STABLEHLO_SLICE", "STABLEHLO_CUSTOM_CALL", "STABLEHLO_REDUCE",
    "STABLEHLO_ABS", "STABLEHLO_AND", "STABLEHLO_COSINE", "STABLEHLO_EXPONENTIAL",
    "STABLEHLO_FLOOR", "STABLEHLO_LOG", "STABLEHLO_MINIMUM", "STABLEHLO_NEGATE", "STABLEHLO_OR",
    "STABLEHLO_POWER", "STABLEHLO_REMAINDER", "STABLEHLO_RSQRT", "STABLEHLO_SELECT",
    "STABLEHLO_SUBTRACT", "STABLEHLO_TANH", "STABLEHLO_SCATTER", "STABLEHLO_COMPARE",
    "STABLEHLO_CONVERT", "STABLEHLO_DYNAMIC_SLICE", "STABLEHLO_DYNAMIC_UPDATE_SLICE",
    "STABLEHLO_PAD", "STABLEHLO_IOTA", "STABLEHLO_DOT_GENERAL", "STABLEHLO_REDUCE_WINDOW",
    "STABLEHLO_SORT", "STABLEHLO_WHILE", "STABLEHLO_GATHER", "STABLEHLO_TRANSPOSE", "DILATE",
    "STABLEHLO_RNG_BIT_GENERATOR", "REDUCE_WINDOW", "STABLEHLO_COMPOSITE", "STABLEHLO_SHIFT_LEFT",
    "STABLEHLO_CBRT",
];

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// 32 bits of floating point.
    Float32,
    /// 16 bits of floating point.
    Float16,
    /// 32 bits, signed.
    Int32,
    /// 8 bits, unsigned.
    Uint8,
    /// 64 bits, signed.
    Int64,
    /// Text of any length.
    String,
    /// A byte, zero or not.
    Bool,
    /// 16 bits, signed.
    Int16,
    /// Two floating point numbers of 32 bits.
    Complex64,
    /// 8 bits, signed.
    Int8,
    /// 64 bits of floating point.
    Float64,
    /// Two floating point numbers of 64 bits.
    Complex128,
    /// 64 bits, unsigned.
    Uint64,
    /// A handle.
    Resource,
    /// Anything.
    Variant,
    /// 32 bits, unsigned.
    Uint32,
    /// 16 bits, unsigned.
    Uint16,
    /// 4 bits, signed; two a byte.
    Int4,
    /// 16 bits of floating point, with the range of 32.
    Bfloat16,
    /// A number newer than this program.
    Unknown(u8),
}

const KINDS: &[(Kind, &str, u64)] = &[
    (Kind::Float32, "float32", 32),
    (Kind::Float16, "float16", 16),
    (Kind::Int32, "int32", 32),
    (Kind::Uint8, "uint8", 8),
    (Kind::Int64, "int64", 64),
    (Kind::String, "string", 0),
    (Kind::Bool, "bool", 8),
    (Kind::Int16, "int16", 16),
    (Kind::Complex64, "complex64", 64),
    (Kind::Int8, "int8", 8),
    (Kind::Float64, "float64", 64),
    (Kind::Complex128, "complex128", 128),
    (Kind::Uint64, "uint64", 64),
    (Kind::Resource, "resource", 32),
    (Kind::Variant, "variant", 0),
    (Kind::Uint32, "uint32", 32),
    (Kind::Uint16, "uint16", 16),
    (Kind::Int4, "int4", 4),
    (Kind::Bfloat16, "bfloat16", 16),
];

impl Kind {
    /// From the schema's number.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        let known = KINDS.get(usize::from(code));
        known.map_or(Self::Unknown(code), |(kind, _, _)| *kind)
    }

    /// The name in lower case: `int8`.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = KINDS.iter().find(|(kind, _, _)| *kind == self);
        known.map_or("unknown", |(_, name, _)| name)
    }

    /// Bits an element takes; zero where that is not fixed.
    #[must_use]
    pub fn bits(self) -> u64 {
        let known = KINDS.iter().find(|(kind, _, _)| *kind == self);
        known.map_or(0, |(_, _, bits)| *bits)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}
