// An error of PostgreSQL as a record that can wait in a queue, and what it may tell: names of
// conditions, and the part of a context that holds no values.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace vigil {

// The texts of an error; their numbers are in records, which never leave the server's memory.
enum class ErrorText : std::uint8_t {
  kMessage,
  kDetail,
  kHint,
  kContext,
  kStatement,
  kSchema,
  kTable,
  kColumn,
  kConstraint,
  kDatatype,
  kCommand,
  kApplication,
  kBackend,
  kRoutine,  // of PostgreSQL's source
  kSession,
  kLevel,
  kTags,   // jsonb as PostgreSQL stores it
  kExtra,  // jsonb as PostgreSQL stores it
};
inline constexpr std::size_t kErrorTexts = static_cast<std::size_t>(ErrorText::kExtra) + 1;

// What an error has besides its texts.
struct ServerErrorFacts {
  std::int64_t at = 0;                    // microseconds since the Unix epoch
  std::uint64_t query_id = 0;             // 0: unknown
  std::array<std::uint8_t, 16> module{};  // zero: the server's
  std::uint32_t role = 0;                 // of the session, an oid
  std::array<char, 5> sqlstate{};
  bool handled = false;
  bool whole_context = false;  // the stack is all of the context, not its frames alone
};

struct ServerError : ServerErrorFacts {
  std::array<std::string_view, kErrorTexts> texts;

  std::string_view& operator[](ErrorText text) { return texts[static_cast<std::size_t>(text)]; }
  std::string_view operator[](ErrorText text) const {
    return texts[static_cast<std::size_t>(text)];
  }
};

// Bytes of a packed error without tags and extra, at most.
inline constexpr std::size_t kMaxPackedTexts = 16 * 1024;

// Bytes that pack() may need.
std::size_t packed_size(const ServerError& error) noexcept;

// Writes the error to memory of packed_size() bytes; takes none itself. Texts are cut to what their
// kind may have, between two characters of UTF-8. Returns the size.
std::size_t pack(const ServerError& error, char* out) noexcept;

// Reads what pack() wrote; the texts are views into the bytes. False if they are anything else.
bool unpack(std::string_view bytes, ServerError& error) noexcept;

// Appends those lines of a context that name functions. All others may hold statements, rows of a
// COPY or parameters.
void frames_of_context(std::string_view context, std::pmr::string& out);

// The names of conditions by SQLSTATE, as PostgreSQL's errcodes.txt lists them.
class ConditionNames {
 public:
  // Views into the text, which must stay. Lines that cannot be read are left out.
  ConditionNames(std::string_view errcodes, std::pmr::memory_resource* resource);

  // The name, or what was asked for when it has none.
  std::string_view find(std::string_view sqlstate) const noexcept;

 private:
  struct Condition {
    std::string_view sqlstate;
    std::string_view name;
  };
  std::pmr::vector<Condition> conditions_;
};

}  // namespace vigil
