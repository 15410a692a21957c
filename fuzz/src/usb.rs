//! Descriptors and setup packets.

use omv_wire::usb::{
    Configuration, DeviceDescriptor, HidDescriptor, LineCoding, ReportDescriptor, ReportKind,
    Setup, cdc_data_interface, decode_languages, decode_string, descriptors as walk,
    encode_languages, encode_string, kind,
};

/// Every reader of chapter 9, on the same bytes.
pub fn descriptors(bytes: &[u8]) {
    assert!(walk(bytes).count() <= bytes.len() + 1);
    if let Ok(device) = DeviceDescriptor::decode(bytes) {
        assert_eq!(DeviceDescriptor::decode(&device.encode()), Ok(device));
        let _ = device.qualifier();
    }
    if let Ok(hid) = HidDescriptor::decode(bytes) {
        assert_eq!(HidDescriptor::decode(&hid.encode()), Ok(hid));
    }
    if let Ok(coding) = LineCoding::decode(bytes) {
        assert_eq!(LineCoding::decode(&coding.encode()), Ok(coding));
    }
    if let Ok(setup) = Setup::decode(bytes) {
        assert_eq!(Setup::decode(&setup.encode()), Ok(setup));
        let _ = (setup.direction(), setup.kind(), setup.recipient());
    }
    if let Ok(text) = decode_string(bytes)
        && let Ok(again) = encode_string(&text)
    {
        assert_eq!(decode_string(&again), Ok(text));
    }
    if let Ok(languages) = decode_languages(bytes)
        && let Ok(again) = encode_languages(&languages)
    {
        assert_eq!(decode_languages(&again), Ok(languages));
    }
    let _ = Configuration::total_length(bytes);
    if let Ok(configuration) = Configuration::decode(bytes) {
        all_of(&configuration);
    }
    if let Ok(report) = ReportDescriptor::decode(bytes) {
        assert_eq!(report.numbered(), !report.ids().is_empty());
        for kind in [ReportKind::Input, ReportKind::Output, ReportKind::Feature] {
            let longest = report.longest(kind);
            for id in report.ids() {
                assert!(report.length(kind, id).unwrap_or(0) <= longest);
            }
        }
    }
}

fn all_of(configuration: &Configuration) {
    for setting in &configuration.interfaces {
        let found = configuration.setting(setting.number, setting.alternate);
        assert!(found.is_some());
        let _ = cdc_data_interface(&setting.extra);
        let _ = configuration.class_specific(setting.number, kind::HID);
        for endpoint in &setting.endpoints {
            let _ = setting.endpoint(endpoint.transfer(), endpoint.direction());
            let _ = (endpoint.number(), endpoint.packet_size());
        }
    }
}
