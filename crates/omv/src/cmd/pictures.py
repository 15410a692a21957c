# Takes pictures and does nothing else.
try:
    import sensor
    sensor.reset()
    sensor.set_pixformat(sensor.RGB565)
    sensor.set_framesize(sensor.QVGA)
    take = sensor.snapshot
except ImportError:
    import csi
    camera = csi.CSI()
    camera.reset()
    camera.pixformat(csi.RGB565)
    camera.framesize(csi.QVGA)
    take = camera.snapshot
while True:
    take()
