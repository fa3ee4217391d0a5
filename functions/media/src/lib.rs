//! `media`: what is said in recordings and written in pictures (`contract/ai-asr-ocr-system.md`, Speech
//! recognition and OCR). The files go from their address, or out of the request, to a provider.

mod asr;
mod ocr;
mod reply_limit;

use shared::http::{Access, Routes};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .post("/api/v1/asr/transcribe", Access::User, asr::transcribe)
        .post("/api/v1/asr/transcribe-and-wait", Access::User, asr::transcribe_and_wait)
        .get("/api/v1/asr/task/{taskId}", Access::User, asr::task)
        .get("/api/v1/asr/wait/{taskId}", Access::User, asr::wait)
        .get("/api/v1/asr/result/{taskId}", Access::User, asr::result)
        .post("/api/v1/ocr/parse", Access::User, ocr::parse)
        .post("/api/v1/ocr/parse-full", Access::User, ocr::parse_full)
        .get("/api/v1/ocr/status", Access::User, ocr::status)
        .get("/api/v1/ocr/providers", Access::User, ocr::providers)
}
