//! A running camera held open, on cameras in virtual time.

mod idle;
