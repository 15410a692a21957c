//! Our host against the OpenMV bootloader.

use std::sync::Arc;
use std::time::Duration;

use omv_wire::dfu::{
    BLOCK, Camera, Failure, Host, Limits, Manifested, Report, State, Status, request,
};
use proptest::prelude::*;

use super::chip::{Bootloader, MS};
use super::pair::Wire;

fn wire() -> (Host, Wire<Camera<Bootloader>>) {
    (
        Host::new(0, BLOCK),
        Wire::new(Camera::new(Bootloader::new())),
    )
}

fn image(size: usize) -> Arc<[u8]> {
    (0..size).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[test]
fn claiming_takes_two_transfers_and_no_time() {
    let (host, mut wire) = wire();
    let block = wire.drive(host.claim(0, 1)).unwrap();
    assert_eq!(block, [0xA0; 4096]);
    assert_eq!(wire.log, [(0x01, 11, 0, 0), (0xA1, 2, 1, 4096)]);
    assert_eq!(wire.now, Duration::ZERO);
}

#[test]
fn an_image_is_written_block_by_block_and_reads_back() {
    let (host, mut wire) = wire();
    let image = image(10_000);
    wire.drive(host.select(1)).unwrap();
    wire.drive(host.to_idle()).unwrap();
    wire.logged();
    wire.drive(host.write(0, image.clone())).unwrap();
    let status = (0xA1, request::GETSTATUS, 0, 6);
    let block = |number, length| (0x21, request::DNLOAD, number, length);
    let each = [block(0, 4096), block(1, 4096), block(2, 1808)];
    let expected: Vec<_> = each.iter().flat_map(|b| [*b, status, status]).collect();
    assert_eq!(wire.logged(), expected);
    // Two sectors erased, three blocks written; the pauses pass meanwhile.
    assert_eq!(wire.now, 1803 * MS);
    assert_eq!(wire.drive(host.manifest()), Ok(Manifested::Idle));
    let back = wire.drive(host.read(0, 10_000)).unwrap();
    assert_eq!(back[..], image[..]);
    let memory = &wire.device.partitions().bytes[1];
    assert!(memory[10_000..16_384].iter().all(|byte| *byte == 0xFF));
    assert!(memory[16_384..].iter().all(|byte| *byte == 0xA1));
}

#[test]
fn a_download_that_is_refused_says_why() {
    let (host, mut wire) = wire();
    wire.drive(host.select(0)).unwrap();
    let failed = wire.drive(host.write(0, image(10)));
    let status = Status::WRITE;
    let what = "DNLOAD";
    assert_eq!(failed, Err(Failure::Status { status, what }));
    wire.drive(host.to_idle()).unwrap();
    let idle = Report::new(Status::OK, Duration::ZERO, State::Idle);
    assert_eq!(wire.drive(host.get_status()), Ok(idle));

    wire.drive(host.select(2)).unwrap();
    let failed = wire.drive(host.write(2, image(8193)));
    let status = Status::ADDRESS;
    assert_eq!(failed, Err(Failure::Status { status, what }));
    wire.drive(host.clear_status()).unwrap();
    assert_eq!(wire.drive(host.get_status()), Ok(idle));
}

#[test]
fn reading_over_the_end_is_an_error_and_no_four_zeros() {
    let (host, mut wire) = wire();
    wire.drive(host.select(2)).unwrap();
    assert_eq!(wire.drive(host.read(0, 16_384)).unwrap(), [0xA2; 16_384]);
    let short = wire.drive(host.read(0, 16_385));
    // One byte is asked for and one of the four comes: only the size tells.
    assert_eq!(short.map(|bytes| bytes.len()), Ok(16_385));
    let failed = wire.drive(host.read(3, 4096 + 100));
    assert_eq!(failed, Err(Failure::Short { need: 100, got: 4 }));
}

#[test]
fn data_without_numbers_for_their_blocks_are_refused_at_once() {
    let (host, mut wire) = wire();
    let failed = wire.drive(host.write(u16::MAX, image(4097)));
    let (size, block) = (4097, 4096);
    assert_eq!(failed, Err(Failure::Size { size, block }));
    let failed = wire.drive(host.write(0, image(0)));
    assert_eq!(failed, Err(Failure::Size { size: 0, block }));
    let failed = wire.drive(host.read(1, u32::MAX));
    let size = u32::MAX.into();
    assert_eq!(failed, Err(Failure::Size { size, block }));
    assert_eq!(wire.log, []);
}

#[test]
fn one_lost_answer_is_forgiven_and_a_dead_device_is_not() {
    let (host, mut wire) = wire();
    wire.drive(host.select(1)).unwrap();
    wire.device.partitions_mut().erase = 11_000 * MS;
    wire.drive(host.write(0, image(10))).unwrap();
    let statuses = wire.log.iter().filter(|one| one.1 == request::GETSTATUS);
    assert_eq!(statuses.count(), 3);
    let began = wire.now;
    wire.device.partitions_mut().erase = Duration::MAX - 10 * MS;
    let failed = wire.drive(host.write(0, image(10)));
    assert_eq!(failed, Err(Failure::Timeout { what: "DNLOAD" }));
    assert_eq!(wire.now - began, 20_001 * MS);
}

#[test]
fn four_hours_of_silence_are_refused_and_not_kept() {
    let (host, mut wire) = wire();
    let asked = 16_777_215 * MS;
    wire.device.partitions_mut().table[1].poll = asked;
    wire.drive(host.select(1)).unwrap();
    let failed = wire.drive(host.write(0, image(10)));
    let limit = 10_000 * MS;
    assert_eq!(failed, Err(Failure::PollTooLong { asked, limit }));
    assert_eq!(wire.now, Duration::ZERO);
}

#[test]
fn the_pause_a_device_asks_for_is_kept() {
    let (host, mut wire) = wire();
    wire.device.partitions_mut().table[1].poll = 2_000 * MS;
    wire.drive(host.select(1)).unwrap();
    wire.drive(host.write(0, image(10))).unwrap();
    assert_eq!(wire.now, 2_000 * MS);
}

#[test]
fn limits_are_those_of_the_caller() {
    let (host, mut wire) = wire();
    let host = host.with_limits(Limits {
        transfer: 100 * MS,
        ..Limits::default()
    });
    wire.drive(host.select(1)).unwrap();
    let failed = wire.drive(host.write(0, image(10)));
    assert_eq!(failed, Err(Failure::Timeout { what: "DNLOAD" }));
    assert_eq!(wire.now, 201 * MS);
}

#[test]
fn detaching_is_one_request() {
    let (host, mut wire) = wire();
    wire.drive(host.detach(1000)).unwrap();
    assert_eq!(wire.log, [(0x21, 0, 1000, 0)]);
}

#[test]
fn a_device_left_in_the_middle_is_brought_to_idle() {
    let (host, mut wire) = wire();
    wire.drive(host.select(1)).unwrap();
    wire.drive(host.download(0, vec![1; 4096])).unwrap();
    wire.drive(host.to_idle()).unwrap();
    assert_eq!(wire.device.state(), State::Idle);
    assert_eq!(wire.log.last(), Some(&(0xA1, request::GETSTATUS, 0, 6)));
}

proptest! {
    #[test]
    fn any_order_of_whole_units_writes_what_was_meant(
        units in proptest::collection::vec((0u16..4, 1usize..=8192, any::<u8>()), 1..12),
    ) {
        let (host, mut wire) = wire();
        wire.drive(host.select(1)).unwrap();
        let mut meant = vec![0xA1; 32_768];
        for (unit, size, fill) in units {
            let data: Arc<[u8]> = (0..size).map(|i| fill ^ i as u8).collect();
            wire.drive(host.write(unit * 2, data.clone())).unwrap();
            let start = usize::from(unit) * 8192;
            meant[start..start + 8192].fill(0xFF);
            meant[start..start + size].copy_from_slice(&data);
        }
        wire.drive(host.manifest()).unwrap();
        prop_assert_eq!(wire.drive(host.read(0, 32_768)).unwrap(), meant);
    }
}
