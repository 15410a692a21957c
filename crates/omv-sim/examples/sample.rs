//! Writes a made-up firmware, or ROM file system, to a file, for tests that flash a virtual camera
//! through programs which know nothing of virtual cameras: `sample VERSION|romfs BYTES FILE`.

use omv_sim::rt1062::sample;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, size, file] = words.as_slice() else {
        return Err("sample VERSION|romfs BYTES FILE".into());
    };
    let image = match what.as_str() {
        "romfs" => sample::romfs(size.parse()?),
        version => sample::firmware(version, size.parse()?),
    };
    std::fs::write(file, image)?;
    Ok(())
}
