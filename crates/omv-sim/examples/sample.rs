//! Writes a made-up firmware to a file, for tests that flash a virtual camera through programs
//! which know nothing of virtual cameras: `sample VERSION BYTES FILE`.

use omv_sim::rt1062::sample;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [version, size, file] = words.as_slice() else {
        return Err("sample VERSION BYTES FILE".into());
    };
    std::fs::write(file, sample::firmware(version, size.parse()?))?;
    Ok(())
}
