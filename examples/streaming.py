# omv run examples/streaming.py    Then look: omv serve, omv view, omv record out.avi
import sensor
import time

sensor.reset()
sensor.set_pixformat(sensor.RGB565)
sensor.set_framesize(sensor.QVGA)

clock = time.clock()
while True:
    clock.tick()
    picture = sensor.snapshot()
    print("%.1f fps, %d x %d" % (clock.fps(), picture.width(), picture.height()))
