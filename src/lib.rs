//! The connectivity layer of Mbed Cloud Client devices.
