// The framing of a Sentry envelope (https://develop.sentry.dev/sdk/data-model/envelopes/):
//
//   envelope = header-line { item }
//   item     = item-header-line payload [ line-end ]
//
// Headers are JSON objects of one line. A payload has the `length` that its header tells, and may
// then contain line ends; without `length` it is one line. A line ends with LF or CR LF. Only the
// framing is judged here: payloads, and values in headers that framing does not need, are not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <vector>

namespace vigil {

// Further items of an envelope, and further faults, are reported as one fault and not framed.
inline constexpr std::size_t kMaxEnvelopeItems = 1000;
inline constexpr std::size_t kMaxEnvelopeFaults = 1000;

// All views point into the envelope. Strings of a header are as written, with escapes if it has
// any, and empty when absent or not strings.
struct EnvelopeItem {
  std::string_view header;  // the whole header line
  std::string_view type;    // never empty
  std::string_view payload;
  std::string_view content_type;
  std::string_view filename;
  std::optional<std::uint64_t> item_count;
  bool truncated;  // the envelope ends before the payload does
};

// A part that cannot be framed, or whose framing is in doubt, by its offset in the envelope.
// The reason is a static lower-case phrase.
struct EnvelopeFault {
  std::size_t offset;
  const char* reason;
  std::string_view bytes;
};

struct Envelope {
  std::string_view header;       // empty when the first line is no JSON object
  std::string_view event_id;     // of the header, as written
  std::string_view sample_rate;  // of the trace in the header; a string or a number, as written
  std::pmr::vector<EnvelopeItem> items;
  std::pmr::vector<EnvelopeFault> faults;
};

// Splits an envelope, in linear time and without copying it. Every byte of it ends up in a header,
// a payload, a fault or a line end:
//   - a line that should be a header but is no JSON object with a `type` is a fault, and the next
//     line is tried;
//   - a `length` that is no whole number is a fault, and the payload is one line;
//   - a `length` beyond the end is a fault, and the payload is what there is, marked as truncated;
//   - what follows a payload of known length before its line end is a fault.
// Empty lines between items are skipped. The vectors allocate from `memory`.
Envelope split_envelope(std::string_view text,
                        std::pmr::memory_resource* memory = std::pmr::get_default_resource());

}  // namespace vigil
