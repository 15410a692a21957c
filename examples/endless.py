# omv run examples/endless.py      Ctrl-C stops the script; the camera goes on.
import time

number = 0
while True:
    number += 1
    print("still here", number)
    time.sleep_ms(100)
