//! Media types: what is refused, and what a stored file is served as (`contract/attachments.md`, route 1 and
//! section 4).

use crate::clients::storage::Presentation;

/// The content type of everything that has no better one.
pub(super) const BINARY: &str = "application/octet-stream";

/// What a file is served as by its extension. Active content is not here.
const TYPES: &[(&str, &str)] = &[
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("ico", "image/x-icon"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("svg", "image/svg+xml"),
    ("mp4", "video/mp4"),
    ("m4v", "video/x-m4v"),
    ("webm", "video/webm"),
    ("mov", "video/quicktime"),
    ("avi", "video/x-msvideo"),
    ("mkv", "video/x-matroska"),
    ("ogv", "video/ogg"),
    ("3gp", "video/3gpp"),
    ("mpeg", "video/mpeg"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("aac", "audio/aac"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("oga", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("flac", "audio/flac"),
    ("weba", "audio/webm"),
    ("amr", "audio/amr"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("json", "application/json"),
    ("csv", "text/csv"),
    ("md", "text/markdown"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
];

/// Returns how an object is served: pictures, sound and video are shown, everything else is saved. SVG can
/// carry scripts, so it is saved too (DESIGN section 7).
#[must_use]
pub fn presentation(path: &str) -> Presentation {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let known = TYPES.iter().find(|(known, _)| Some(*known) == extension.as_deref());
    let content_type = known.map_or(BINARY, |(_, content_type)| content_type);
    let is_media = ["image/", "video/", "audio/"].iter().any(|family| content_type.starts_with(family));
    Presentation { content_type, is_download: !is_media || content_type == "image/svg+xml" }
}

/// Returns the media type that an uploader declares, without parameters and in lower case; none counts as binary.
#[must_use]
pub fn declared(text: Option<&str>) -> String {
    let essence = text.unwrap_or_default().split(';').next().unwrap_or_default();
    let essence: String = essence.chars().filter(|c| !c.is_control()).collect();
    let essence = essence.trim();
    if essence.is_empty() { BINARY.to_owned() } else { essence.to_lowercase() }
}

/// Reports whether a media type, as [`declared`] returns it, is refused.
#[must_use]
pub fn is_blocked(media_type: &str, blocked: &[String]) -> bool {
    blocked.iter().any(|entry| match entry.strip_suffix("/*") {
        Some(family) => media_type.split('/').next() == Some(family),
        None => entry == media_type,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_sound_and_video_are_shown_and_the_rest_is_saved() {
        let shown = |path| {
            let Presentation { content_type, is_download } = presentation(path);
            (content_type, is_download)
        };
        assert_eq!(shown("u1/2026-01-01/a.PNG"), ("image/png", false));
        assert_eq!(shown("u1/2026-01-01/a.svg"), ("image/svg+xml", true));
        assert_eq!(shown("u1/2026-01-01/a.pdf"), ("application/pdf", true));
        for active in ["a.html", "a.txt", "a.js", "a.png.exe", "a", "png/a", ".png/a"] {
            assert_eq!(shown(active), (BINARY, true), "{active}");
        }
    }

    #[test]
    fn a_type_is_blocked_with_its_parameters_and_as_part_of_a_family() {
        let blocked = ["text/html".to_owned(), "video/*".to_owned()];
        for media_type in ["text/html", "TEXT/HTML; charset=utf-8", " text/html ;x", "video/mp4", "Video/x"] {
            assert!(is_blocked(&declared(Some(media_type)), &blocked), "{media_type}");
        }
        for media_type in ["text/htmlx", "text/plain", "videos/mp4", "", "x"] {
            assert!(!is_blocked(&declared(Some(media_type)), &blocked), "{media_type}");
        }
    }
}
