//! Firmware files and archives.

use omv_plan::{Image, Source, ZipSource, check, choose, inspect, sha256};

/// More than any of the small inputs needs when unpacked.
const LIMIT: u64 = 1 << 20;

/// Any bytes as a firmware file, held against every region of every board.
pub fn image(bytes: &[u8]) {
    let contents = inspect(bytes);
    let _ = contents.parsed_version();
    assert_eq!(sha256(bytes).len(), 64);
    for board in omv_boards::all() {
        for region in board
            .layout()
            .into_iter()
            .flat_map(|layout| &layout.regions)
        {
            let image = Image {
                file: "firmware.bin".to_owned(),
                region: region.name.clone(),
                start: region.start,
                bytes: bytes.into(),
            };
            let findings = check(board, &image, region.size.into());
            let severities = findings.iter().map(|finding| finding.severity);
            assert!(severities.is_sorted_by(|one, next| one >= next));
            for finding in findings {
                let refusal = finding.refusal;
                let _ = (refusal.code(), refusal.help(), refusal.to_string());
            }
        }
    }
}

/// Any bytes as a release zip or a wheel: opened, listed, read, searched.
pub fn zip(bytes: &[u8]) {
    let Ok(mut archive) = ZipSource::new("release.zip", bytes.to_vec()) else {
        return;
    };
    for name in archive.names().iter().take(64) {
        let leaves = name.split(['/', '\\']).any(|part| part == "..");
        assert!(!leaves, "the path {name} leaves the archive");
        if let Ok(unpacked) = archive.read(name, LIMIT) {
            assert!(unpacked.len() as u64 <= LIMIT);
        }
    }
    let board = omv_boards::by_name("rt1062").expect("a board");
    let _ = choose(&mut archive, board, "firmware");
    let _ = choose(&mut archive, board, "romfs");
    for role in [
        omv_boards::LoaderRole::Sbl,
        omv_boards::LoaderRole::Flashloader,
    ] {
        let _ = omv_plan::loader(&mut archive, board, role, false);
    }
}
