"""A transparency log as pure code: RFC 6962 trees and the C2SP formats, unchanged, over any tile store."""
