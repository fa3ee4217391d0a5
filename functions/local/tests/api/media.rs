//! Speech and text recognition (`contract/ai-asr-ocr-system.md`).

mod asr;
mod ocr;
