//! What a handshake must and must not let happen.
