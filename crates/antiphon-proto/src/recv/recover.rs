//! Which packets are missing, when to ask for them, and when to give up: retransmission by deadline.
