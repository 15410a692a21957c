# Takes pictures without end, for tests. A virtual camera without an interpreter does what the
# comments say.
# omv-sim: loop
# omv-sim: frame 320 240
# omv-sim: repeat
import sensor

sensor.reset()
sensor.set_pixformat(sensor.RGB565)
sensor.set_framesize(sensor.QVGA)
while True:
    sensor.snapshot()
