//! The word that was probably meant.

/// The known word nearest to a misspelt one, if one is near enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|it| (strsim::damerau_levenshtein(&lower, &it.to_lowercase()), it))
        .filter(|(distance, it)| *distance <= 1 + it.chars().count().saturating_sub(1) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
        let known = ["needs", "order", "variants"];
        assert_eq!(nearest("need", known), Some("needs"));
        assert_eq!(nearest("Variant", known), Some("variants"));
        assert_eq!(nearest("colour", known), None);
    }
}
