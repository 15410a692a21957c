//! Which names exist in which firmware.

use super::common::{Old, python};
use super::interpreter::says_on;

/// Prints for each of these names whether it can be had.
const ASK: &str = "\
def has(module, name=None):
    try:
        m = __import__(module)
    except ImportError:
        return '-'
    return 'x' if name is None or hasattr(m, name) else '-'
print(has('csi'), has('csi', 'CSI'), has('ml'), has('ml', 'Model'), has('tf'), has('tf', 'load'), has('protocol'), has('pyb'), has('nothing'))
";

#[test]
fn each_era_has_the_modules_and_calls_of_its_time() {
    let old = |version| Old::says(version, python(), ASK);
    assert_eq!(old("4.5.2"), "- - - - x x - - -\r\n");
    assert_eq!(old("4.5.9"), "- - x x x - - - -\r\n");
    assert_eq!(old("4.7.0"), "x - x x x - - - -\r\n");
    assert_eq!(old("4.8.1"), "x x x x x - - - -\r\n");
    assert_eq!(says_on("5.0.0", ASK), "x x x x x - x - -\r\n");
}

#[test]
fn an_unknown_name_raises_as_on_a_camera() {
    let text = says_on("5.0.0", "import sensor\nsensor.set_colour(1)\n");
    assert!(
        text.contains("AttributeError: module 'sensor' has no attribute 'set_colour'"),
        "{text}"
    );
    let text = says_on(
        "5.0.0",
        "import image\nimage.Image(8, 8, image.RGB565).find_everything()\n",
    );
    assert!(
        text.contains("AttributeError: 'Image' object has no attribute 'find_everything'"),
        "{text}"
    );
    let text = Old::says("4.5.2", python(), "import csi\n");
    assert!(
        text.contains("ImportError: no module named 'csi'"),
        "{text}"
    );
}

#[test]
fn one_script_for_all_eras_decides_by_what_is_there() {
    let script = "\
try:
    import csi
except ImportError:
    csi = None
if csi and hasattr(csi, 'CSI'):
    camera = csi.CSI()
    camera.reset()
    camera.pixformat(csi.GRAYSCALE)
    camera.framesize(csi.QQVGA)
    take = camera.snapshot
else:
    import sensor
    sensor.reset()
    sensor.set_pixformat(sensor.GRAYSCALE)
    sensor.set_framesize(sensor.QQVGA)
    take = sensor.snapshot
import time
start = time.ticks_us()
for n in range(3):
    take()
print(time.ticks_diff(time.ticks_us(), start) > 30000)
";
    for version in ["4.5.5", "4.5.6", "4.7.0"] {
        assert_eq!(
            Old::says(version, python(), script),
            "True\r\n",
            "{version}"
        );
    }
    assert_eq!(says_on("5.0.0", script), "True\r\n");
}
