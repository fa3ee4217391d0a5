//! `media`: what is said in recordings and written in pictures (`contract/ai-asr-ocr-system.md`, Speech
//! recognition and OCR). The files go from their address, or out of the request, to a provider.

mod asr;
mod ocr;
mod reply_limit;

use shared::http::{Access, RouteTable};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .post("/api/v1/asr/transcribe", Access::User, asr::transcribe, "Begin to transcribe recordings")
        .post(
            "/api/v1/asr/transcribe-and-wait",
            Access::User,
            asr::transcribe_and_wait,
            "Transcribe recordings and wait for the text",
        )
        .get("/api/v1/asr/task/{taskId}", Access::User, asr::task, "Ask how a transcription is doing")
        .get("/api/v1/asr/wait/{taskId}", Access::User, asr::wait, "Wait for a transcription")
        .get("/api/v1/asr/result/{taskId}", Access::User, asr::result, "Get what a transcription found")
        .post("/api/v1/ocr/parse", Access::User, ocr::parse, "Read the text of pictures and documents")
        .post("/api/v1/ocr/parse-full", Access::User, ocr::parse_full, "Read text and layout of pictures")
        .get("/api/v1/ocr/status", Access::User, ocr::status, "Tell whether text recognition can be used")
        .get("/api/v1/ocr/providers", Access::User, ocr::providers, "List the providers of text recognition")
}
