//! Mbed TLS 3.6: raw bindings and a thin safe layer.
