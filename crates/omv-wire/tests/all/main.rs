//! Codecs and both ends of every protocol, in virtual time.

mod dfu_wire;
mod identify;
mod legacy_wire;
mod mboot_wire;
mod msc_wire;
mod running;
mod sdp_wire;
mod tflite_models;
mod usb_descriptors;
mod usb_reports;
mod usbip_codec;
mod usbip_ends;
mod usbip_queue;
mod usbip_streams;
mod v1;
mod v1_vectors;
mod v2;
mod v2_properties;
mod v2_vectors;
