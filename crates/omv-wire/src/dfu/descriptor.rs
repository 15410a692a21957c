//! How a DFU interface is described: alternates with names, the functional descriptor at the end.

use super::{CLASS, Functional};
use crate::usb::ConfigurationBuilder;

/// Adds a DFU interface of `count` alternate settings to a configuration. Their names are the
/// strings `first_string`, `first_string + 1` and so on; the functional descriptor follows the
/// last of them.
///
/// # Example
/// ```
/// use omv_wire::dfu::{Functional, alternates};
/// use omv_wire::usb::ConfigurationBuilder;
/// let functional = Functional {
///     attributes: Functional::CAN_DOWNLOAD | Functional::CAN_UPLOAD,
///     detach_timeout: 1000,
///     transfer_size: 4096,
///     version: 0x0101,
/// };
/// let builder = ConfigurationBuilder::new(1).max_power(250);
/// let bytes = alternates(builder, 0, 4, 4, functional).finish()?;
/// assert_eq!(bytes.len(), 54);
/// # Ok::<(), omv_wire::Malformed>(())
/// ```
///
/// Source: openmv/openmv boot/src/common/desc.c; STMicroelectronics stm32-mw-usb-device Class/DFU.
#[must_use]
pub fn alternates(
    builder: ConfigurationBuilder,
    interface: u8,
    count: u8,
    first_string: u8,
    functional: Functional,
) -> ConfigurationBuilder {
    (0..count)
        .fold(builder, |builder, alternate| {
            let string = first_string.wrapping_add(alternate);
            builder.interface(interface, alternate, CLASS, string)
        })
        .raw(&functional.encode())
}
