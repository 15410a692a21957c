# omv run examples/hello.py
#
# Says who it is, then counts.
import sys
import time

print("Hello from", sys.platform, sys.implementation.name, ".".join(map(str, sys.implementation.version[:3])))
for number in range(1, 6):
    print("number", number)
    time.sleep_ms(100)
print("done")
