//! Words for people.

/// What the system said, without its number for it.
pub fn plain(error: &impl ToString) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) if text.ends_with(')') => text.get(..at).unwrap_or(&text).to_owned(),
        _ => text,
    }
}
