//! Status codes: the ones this crate reasons about, and the words callers of `blhost` parse.
//!
//! The texts are facts of a drop-in, not prose of ours: they are exactly what SPSDK 3.12.0 prints,
//! odd spacing and mismatched texts included (10501 to 10503 are shifted by one against their
//! labels there, and 10213 is "unsupported command" to the loaders of the RT1062).
//! Codes above 0x5000_0000 exist for EL2GO provisioning, never come from a camera, and have no
//! text here.
//!
//! Source: SPSDK 3.12.0, spsdk/mboot/error_codes.py.

/// All went well.
pub const SUCCESS: u32 = 0;
/// Failed; also what a camera says about a command sent where it expected data.
pub const FAIL: u32 = 1;
/// A parameter is out of its range, or the address may not be executed.
pub const INVALID_ARGUMENT: u32 = 4;
/// The command tag is unknown, or not built into this loader.
pub const UNKNOWN_COMMAND: u32 = 10000;
/// The other side ended the data phase early.
pub const ABORT_DATA_PHASE: u32 = 10002;
/// Never sent by a device: a host says it when nothing came.
pub const NO_RESPONSE: u32 = 10004;
/// A file of commands that does not begin like one.
pub const SB_SIGNATURE: u32 = 10101;
/// The address range is outside the memory map, or reserved.
pub const MEMORY_RANGE_INVALID: u32 = 10200;
/// The memory could not be read.
pub const MEMORY_READ_FAILED: u32 = 10201;
/// The page to be written is not blank: erase it first.
pub const MEMORY_CUMULATIVE_WRITE: u32 = 10203;
/// External memory that `configure-memory` has not set up yet.
pub const MEMORY_NOT_CONFIGURED: u32 = 10205;
/// The memory does not know this operation; the answer to erasing RAM.
pub const MEMORY_NO_ERASE: u32 = 10213;
/// No such property.
pub const UNKNOWN_PROPERTY: u32 = 10300;
/// The property cannot be changed.
pub const READ_ONLY_PROPERTY: u32 = 10301;
/// A write to FlexSPI NOR that does not start on a page.
pub const FLEXSPI_NOR_ALIGNMENT: u32 = 20105;
/// A FlexSPI NOR command failed, or read back other than written.
pub const FLEXSPI_NOR_COMMAND_FAILURE: u32 = 20106;
/// A fuse bit did not take.
pub const OTP_PROGRAM_FAILURE: u32 = 20201;

/// What SPSDK 3.12.0 prints for a status code, without the full stop; `None` where it prints
/// `Unknown error code`.
#[must_use]
pub fn text(code: u32) -> Option<&'static str> {
    let at = TEXTS
        .binary_search_by_key(&code, |(known, _)| *known)
        .ok()?;
    TEXTS.get(at).map(|(_, text)| *text)
}

/// Ascending by code, so that a look-up can halve it.
const TEXTS: &[(u32, &str)] = &[
    // generic
    (0, "Success"),
    (1, "Fail"),
    (2, "Read Only Error"),
    (3, "Out Of Range Error"),
    (4, "Invalid Argument Error"),
    (5, "Timeout Error"),
    (6, "No Transfer In Progress Error"),
    // flash
    (100, "FLASH Driver: Size Error"),
    (101, "FLASH Driver: Alignment Error"),
    (102, "FLASH Driver: Address Error"),
    (103, "FLASH Driver: Access Error"),
    (104, "FLASH Driver: Protection Violation"),
    (105, "FLASH Driver: Command Failure"),
    (106, "FLASH Driver: Unknown Property"),
    (
        107,
        "FLASH Driver: Provided Key Does Not Match Programmed Flash Memory Key",
    ),
    (108, "FLASH Driver: Region Execute Only"),
    (109, "FLASH Driver: Execute In RAM Function Not Ready"),
    (111, "FLASH Driver: Command Not Supported"),
    (112, "FLASH Driver: Flash Memory Property Is Read-Only"),
    (
        113,
        "FLASH Driver: Flash Memory Property Value Out Of Range",
    ),
    (
        114,
        "FLASH Driver: Flash Memory Prefetch Speculation Option Is Invalid",
    ),
    (116, "FLASH Driver: ECC Error"),
    (
        117,
        "FLASH Driver: Destination And Source Memory Contents Do Not Match",
    ),
    (118, "FLASH Driver: Loss Of Regulation During Read"),
    (
        119,
        "FLASH Driver: Wait State Cycle Set To Read/Write Mode Is Invalid",
    ),
    (121, "FLASH Driver: Operation is aborted"),
    (132, "FLASH Driver: Out Of Date CFPA Page"),
    (133, "FLASH Driver: Blank IFR Page Data"),
    (
        134,
        "FLASH Driver: Encrypted Regions Erase Not Done At Once",
    ),
    (135, "FLASH Driver: Program Verification Not Allowed"),
    (136, "FLASH Driver: Hash Check Error"),
    (137, "FLASH Driver: Sealed PFR Region"),
    (138, "FLASH Driver: PFR Region Write Broken"),
    (139, "FLASH Driver: NMPA Update Not Allowed"),
    (140, "FLASH Driver: CMPA Cfg Direct Erase Not Allowed"),
    (141, "FLASH Driver: PFR Bank Is Locked"),
    (148, "FLASH Driver: CFPA Scratch Page Invalid"),
    (149, "FLASH Driver: CFPA Version Rollback Disallowed"),
    (150, "FLASH Driver: Flash Memory Hiding Read Not Allowed"),
    (
        151,
        "FLASH Driver: Flash Firewall Page Locked Erase And Program Are Not Allowed",
    ),
    (
        152,
        "FLASH Driver: Flash Memory State Busy Flash Memory Command Is In Progress",
    ),
    (153, "FLASH Driver: IFR1 Access Not Allowed"),
    (154, "FLASH Driver: Flash Memory Erase Verify Failed"),
    // I2C, SPI, QSPI, OTFAD
    (200, "I2C Driver: Slave Tx Underrun"),
    (201, "I2C Driver: Slave Rx Overrun"),
    (202, "I2C Driver: Arbitration Lost"),
    (300, "SPI Driver: Slave Tx Underrun"),
    (301, "SPI Driver: Slave Rx Overrun"),
    (400, "QSPI Driver: Flash Size Error"),
    (401, "QSPI Driver: Flash Alignment Error"),
    (402, "QSPI Driver: Flash Address Error"),
    (403, "QSPI Driver: Flash Command Failure"),
    (404, "QSPI Driver: Flash Unknown Property"),
    (405, "QSPI Driver: Not Configured"),
    (406, "QSPI Driver: Command Not Supported"),
    (407, "QSPI Driver: Command Timeout"),
    (408, "QSPI Driver: Write Failure"),
    (500, "OTFAD Driver: Security Violation"),
    (501, "OTFAD Driver: Logically Disabled"),
    (502, "OTFAD Driver: Invalid Key"),
    (503, "OTFAD Driver: Invalid Key Blob"),
    // SDMMC
    (1800, "SDMMC Driver: Not Supported Yet"),
    (1801, "SDMMC Driver: Transfer Failed"),
    (1802, "SDMMC Driver: Set Card Block Size Failed"),
    (1803, "SDMMC Driver: Host Not Supported"),
    (1804, "SDMMC Driver: Card Not Supported"),
    (1805, "SDMMC Driver: All Send CID Failed"),
    (1806, "SDMMC Driver: Send Relative Address Failed"),
    (1807, "SDMMC Driver: Send CSD Failed"),
    (1808, "SDMMC Driver: Select Card Failed"),
    (1809, "SDMMC Driver: Send SCR Failed"),
    (1810, "SDMMC Driver: Set Data Bus Width Failed"),
    (1811, "SDMMC Driver: Go Idle Failed"),
    (1812, "SDMMC Driver: HandShake Operation Condition Failed"),
    (1813, "SDMMC Driver: Send Application Command Failed"),
    (1814, "SDMMC Driver: Switch Command Failed"),
    (1815, "SDMMC Driver: Stop Transmission Failed"),
    (1816, "SDMMC Driver: Wait Write Complete Failed"),
    (1817, "SDMMC Driver: Set Block Count Failed"),
    (1818, "SDMMC Driver: Set Relative Address Failed"),
    (1819, "SDMMC Driver: Switch Bus Timing Failed"),
    (1820, "SDMMC Driver: Send Extended CSD Failed"),
    (1821, "SDMMC Driver: Configure Boot Failed"),
    (1822, "SDMMC Driver: Configure Extended CSD Failed"),
    (1823, "SDMMC Driver: Enable High Capacity Erase Failed"),
    (1824, "SDMMC Driver: Send Test Pattern Failed"),
    (1825, "SDMMC Driver: Receive Test Pattern Failed"),
    (1826, "SDMMC Driver: SDIO Response Error"),
    (1827, "SDMMC Driver: SDIO Invalid Argument"),
    (1828, "SDMMC Driver: SDIO Send Operation Condition Failed"),
    (1829, "SDMMC Driver: Invalid Voltage"),
    (1830, "SDMMC Driver: SDIO Switch High Speed Failed"),
    (1831, "SDMMC Driver: SDIO Read CIS Failed"),
    (1832, "SDMMC Driver: SDIO Invalid Card"),
    (1833, "SDMMC Driver: Tuning Failed"),
    (1834, "SDMMC Driver: Switch Voltage Failed"),
    (1835, "SDMMC Driver: Re-Tuning Request"),
    (1836, "SDMMC Driver: Set Driver Strength Failed"),
    (1837, "SDMMC Driver: Set Power Class Failed"),
    (1838, "SDMMC Driver: Host Controller Not Ready"),
    (1839, "SDMMC Driver: Card Detect Failed"),
    // FlexSPI, USDHC
    (6000, "FLEXSPI: Sequence Execution Timeout"),
    (6001, "FLEXSPI: Invalid Sequence"),
    (6002, "FLEXSPI: Device Timeout"),
    (6500, "USDHC Driver: Busy Transferring"),
    (6501, "USDHC Driver: Prepare ADMA Descriptor Failed"),
    (6502, "USDHC Driver: Send Command Failed"),
    (6503, "USDHC Driver: Transfer Data Failed"),
    (6504, "USDHC Driver: DMA Data Address Not Aligned"),
    (6505, "USDHC Driver: Re-Tuning Request"),
    (6506, "USDHC Driver: Tuning Error"),
    (7000, "FLEXSPI: Sequence Execution Timeout"),
    (7001, "FLEXSPI: Invalid Sequence"),
    (7002, "FLEXSPI: Device Timeout"),
    // bootloader
    (10000, "Unknown Command"),
    (10001, "Security Violation"),
    (10002, "Abort Data Phase"),
    (10003, "Ping Error"),
    (10004, "No response packet from target device"),
    (10005, "No Response Expected"),
    (10006, "Unsupported Command"),
    // SB loader
    (10100, "ROM Loader: Section Overrun"),
    (10101, "ROM Loader: Signature Error"),
    (10102, "ROM Loader: Section Length Error"),
    (10103, "ROM Loader: Unencrypted Only"),
    (10104, "ROM Loader: EOF Reached"),
    (10105, "ROM Loader: Checksum Error"),
    (10106, "ROM Loader: CRC32 Error"),
    (10107, "ROM Loader: Unknown Command"),
    (10108, "ROM Loader: ID Not Found"),
    (10109, "ROM Loader: Data Underrun"),
    (10110, "ROM Loader: Jump Returned"),
    (10111, "ROM Loader: Call Failed"),
    (10112, "ROM Loader: Key Not Found"),
    (10113, "ROM Loader: Secure Only"),
    (10114, "ROM Loader: Reset Returned"),
    (10115, "ROM Loader: Rollback Blocked"),
    (10116, "ROM Loader: Invalid Section Mac Count"),
    (10117, "ROM Loader: Unexpected Command"),
    (10118, "ROM Loader: Bad SBKEK Detected"),
    (10119, "ROM Loader: Pending Jump Command"),
    (10120, "ROM Loader: Pending Reset Command"),
    // memory
    (10200, "Memory Range Invalid"),
    (10201, "Memory Read Failed"),
    (10202, "Memory Write Failed"),
    (10203, "Memory Cumulative Write"),
    (10204, "Memory App Overlap with exec region"),
    (10205, "Memory Not Configured"),
    (10206, "Memory Alignment Error"),
    (10207, "Memory Verify Failed"),
    (10208, "Memory Write Protected"),
    (10209, "Memory Address Error"),
    (10210, "Memory Blank Check Failed"),
    (10211, "Memory Blank Page Read Disallowed"),
    (10212, "Memory Protected Page Read Disallowed"),
    (10213, "Memory PFR Spec Region Write Broken"),
    (10214, "Memory Unsupported Command"),
    // property, CRC
    (10300, "Unknown Property"),
    (10301, "Read Only Property"),
    (10302, "Invalid Property Value"),
    (10400, "Application CRC Check: Passed"),
    (10401, "Application: CRC Check: Failed"),
    (10402, "Application CRC Check: Inactive"),
    (10403, "Application CRC Check: Invalid"),
    (10404, "Application CRC Check: Out Of Range"),
    // packetizer, reliable update, EEPROM
    (10500, "Packetizer Error: No Ping Response"),
    (
        10501,
        "Packetizer Error: No response received for ping command",
    ),
    (10502, "Packetizer Error: Invalid packet type"),
    (10503, "Packetizer Error: No response received for command"),
    (10600, "Reliable Update: Success"),
    (10601, "Reliable Update: Fail"),
    (10602, "Reliable Update: Inactive"),
    (10603, "Reliable Update: Backup Application Invalid"),
    (10604, "Reliable Update: Still In Main Application"),
    (10605, "Reliable Update: Swap System Not Ready"),
    (10606, "Reliable Update: Backup Bootloader Not Ready"),
    (10607, "Reliable Update: Swap Indicator Address Invalid"),
    (10608, "Reliable Update: Swap System Not Available"),
    (10609, "Reliable Update: Swap Test"),
    (10700, "SerialNorEeprom: Address Invalid"),
    (10701, "SerialNorEeprom: Transfer Error"),
    (10702, "SerialNorEeprom: Type Invalid"),
    (10703, "SerialNorEeprom: Size Invalid"),
    (10704, "SerialNorEeprom: Command Invalid"),
    // ROM API
    (10801, "RomApi: Need More Data"),
    (10802, "RomApi: Buffer Size Not Enough"),
    (10803, "RomApi: Invalid Buffer"),
    // SPI NAND
    (20000, "FlexSPINAND: Read Page Fail"),
    (20001, "FlexSPINAND: Read Cache Fail"),
    (20002, "FlexSPINAND: Ecc Check Fail"),
    (20003, "FlexSPINAND: Page Load Fail"),
    (20004, "FlexSPINAND: Page Execute Fail"),
    (20005, "FlexSPINAND: Erase Block Fail"),
    (20006, "FlexSPINAND: Wait Timeout"),
    (20007, "SPI NAND: PageSize over the max supported size"),
    (
        20008,
        "SPI NAND: Failed to update Flash config block to SPI NAND",
    ),
    (
        20009,
        "SPI NAND: Failed to update discovered bad block table to SPI NAND",
    ),
    (20010, "FlexSPINAND: Write Alignment Error"),
    (20011, "FlexSPINAND: Not Found"),
    // FlexSPI NOR
    (20100, "FLEXSPINOR: Program Fail"),
    (20101, "FLEXSPINOR: Erase Sector Fail"),
    (20102, "FLEXSPINOR: Erase All Fail"),
    (20103, "FLEXSPINOR:Wait Timeout"),
    (20104, "FlexSPINOR: PageSize over the max supported size"),
    (20105, "FlexSPINOR:Write Alignment Error"),
    (20106, "FlexSPINOR: Command Failure"),
    (20107, "FlexSPINOR: SFDP Not Found"),
    (20108, "FLEXSPINOR: Unsupported SFDP Version"),
    (20109, "FLEXSPINOR Flash Not Found"),
    (20110, "FLEXSPINOR: DTR Read Dummy Probe Failed"),
    // OTP, xSPI
    (20200, "OCOTP: Read Failure"),
    (20201, "OCOTP: Program Failure"),
    (20202, "OCOTP: Reload Failure"),
    (20203, "OCOTP: Wait Timeout"),
    (20905, "xSPINOR: Write Alignment Error"),
    // SEMC NOR
    (21100, "SemcNOR: Device Timeout"),
    (21101, "SemcNOR: Invalid Memory Address"),
    (21102, "SemcNOR: unmatched Command Set"),
    (21103, "SemcNOR: Address Alignment Error"),
    (21104, "SemcNOR: Invalid Cfi Signature"),
    (21105, "SemcNOR: Command Error No Op To Suspend"),
    (21106, "SemcNOR: Command Error No Info Available"),
    (21107, "SemcNOR: Block Erase Command Failure"),
    (21108, "SemcNOR: Buffer Program Command Failure"),
    (21109, "SemcNOR: Program Verify Failure"),
    (21110, "SemcNOR: Erase Verify Failure"),
    (21116, "SemcNOR: Invalid Cfg Tag"),
    // SEMC NAND
    (21200, "SemcNAND: Device Timeout"),
    (21201, "SemcNAND: Invalid Memory Address"),
    (21202, "SemcNAND: Not Equal To One Page Size"),
    (21203, "SemcNAND: More Than One Page Size"),
    (21204, "SemcNAND: Ecc Check Fail"),
    (21205, "SemcNAND: Invalid Onfi Parameter"),
    (21206, "SemcNAND: Cannot Enable Device Ecc"),
    (21207, "SemcNAND: Switch Timing Mode Failure"),
    (21208, "SemcNAND: Program Verify Failure"),
    (21209, "SemcNAND: Erase Verify Failure"),
    (21210, "SemcNAND: Invalid Readback Buffer"),
    (21216, "SemcNAND: Invalid Cfg Tag"),
    (21217, "SemcNAND: Fail To Update Fcb"),
    (21218, "SemcNAND: Fail To Update Dbbt"),
    (21219, "SemcNAND: Disallow Overwrite Bcb"),
    (21220, "SemcNAND: Only Support Onfi Device"),
    (21221, "SemcNAND: More Than Max Image Copy"),
    (21222, "SemcNAND: Disordered Image Copies"),
    // SPIFI
    (22000, "SPIFINOR: Program Fail"),
    (22001, "SPIFINOR: Erase Sector Fail"),
    (22002, "SPIFINOR: Erase All Fail"),
    (22003, "SPIFINOR: Wait Timeout"),
    (22004, "SPIFINOR: Not Supported"),
    (22005, "SPIFINOR: Write Alignment Error"),
    (22006, "SPIFINOR: Command Failure"),
    (22007, "SPIFINOR: SFDP Not Found"),
    // EdgeLock, OTP
    (30000, "EDGELOCK: Invalid Response"),
    (30001, "EDGELOCK: Response Error"),
    (30002, "EDGELOCK: Abort"),
    (30003, "EDGELOCK: Operation Failed"),
    (30004, "EDGELOCK: OTP Program Failure"),
    (30005, "EDGELOCK: OTP Locked"),
    (30006, "EDGELOCK: OTP Invalid IDX"),
    (30007, "EDGELOCK: Invalid Lifecycle"),
    (52009, "OTP: Failed to verify OTP write"),
    (52801, "OTP: Invalid OTP address"),
    (52802, "OTP: Programming failed"),
    (52803, "OTP: CRC check failed"),
    (52804, "OTP: Error happened during OTP operation"),
    (52805, "OTP: ECC check failed during OTP operation"),
    (52806, "OTP: Field is locked when programming"),
    (52807, "OTP: Operation timed out"),
    (52808, "OTP: CRC check passed"),
    // trust provisioning
    (80000, "TP: General error"),
    (80001, "TP: Error during cryptographic operation"),
    (
        80002,
        "TP: NULL pointer dereference or when buffer could not be allocated",
    ),
    (80003, "TP: Already initialized"),
    (80004, "TP: Buffer is too small"),
    (
        80005,
        "TP: Address out of allowed range or buffer could not be allocated",
    ),
    (80006, "TP: Container header or size is invalid"),
    (80007, "TP: Container entry invalid"),
    (80008, "TP: Container entry not found in container"),
    (80009, "TP: Attempt to process command in disallowed state"),
    (80010, "TP: ISP command arguments are invalid"),
    (80011, "TP: PUF operation error"),
    (80012, "TP: Flash erase/program/verify_erase failed"),
    (
        80013,
        "TP: SBKEK or USER KEK cannot be stored in secret box",
    ),
    (80014, "TP: Protected Flash Region operation failed"),
    (80015, "TP: Container signature verification failed"),
    (80016, "TP: CFPA page cannot be stored"),
    (
        80017,
        "TP: CMPA page cannot be stored or ROTKH or SECU registers are invalid",
    ),
    (80018, "TP: Address is out of range"),
    (
        80019,
        "TP: Container address in write context is invalid or there is no memory for entry storage",
    ),
    (80020, "TP: Container address in read context is unaligned"),
    (
        80021,
        "TP: There is not enough memory to store the container",
    ),
    (80022, "TP: Attempt to sign an empty container"),
    (
        80023,
        "TP: Destination address of OEM certificate is invalid",
    ),
    (80024, "TP: Destination address of certificate is unaligned"),
    (
        80025,
        "TP: OEM certificates are overlapping due to wrong destination addresses",
    ),
    (80026, "TP: Error during packet sending/receiving"),
    (80027, "TP: Data in packet handle are invalid"),
    (80028, "TP: Unknown command was received"),
    (80029, "TP: Error during processing SB3 file"),
    (80101, "TP: Critical error"),
    (
        80102,
        "TP: Error of crypto module which prevents proper functionality",
    ),
    (
        80103,
        "TP: Initialization or start of the PUF periphery failed",
    ),
    (
        80104,
        "TP: Initialization of PFR or reading of activation code failed",
    ),
    (80105, "TP: Peripheral failure"),
    (80106, "TP: Error during PRINCE encryption/decryption"),
    (80107, "TP: SHA check verification failed"),
    // IAP
    (
        100001,
        "IAP: Invalid argument detected during API execution",
    ),
    (
        100002,
        "IAP: Heap Size Not Large Enough During API Execution",
    ),
    (
        100003,
        "IAP: Read Memory Operation Disallowed During API Execution",
    ),
    (
        100004,
        "IAP: Flash Memory Region To Be Programmed Is Not Empty",
    ),
    (100005, "IAP: Erase Operation Failed"),
    (100006, "IAP: Specific Command Not Supported"),
    (100007, "IAP: Memory Access Disabled"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ascending_so_that_every_code_is_found() {
        assert!(TEXTS.is_sorted_by_key(|(code, _)| code));
        assert!(TEXTS.iter().all(|(code, said)| text(*code) == Some(said)));
        assert_eq!(TEXTS.len(), 314);
    }

    #[test]
    fn texts_are_the_ones_callers_parse_spacing_included() {
        assert_eq!(text(0), Some("Success"));
        assert_eq!(text(20105), Some("FlexSPINOR:Write Alignment Error"));
        assert_eq!(text(100_007), Some("IAP: Memory Access Disabled"));
        assert_eq!(text(7), None);
    }
}
