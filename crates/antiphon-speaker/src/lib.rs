//! Law: see ARCHITECTURE.md.
