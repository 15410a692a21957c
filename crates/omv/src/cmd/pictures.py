# Takes pictures and does nothing else. For a virtual camera without an interpreter:
# omv-sim: loop
# omv-sim: frame 320 240 RGB565
# omv-sim: repeat
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
