#include "core/server_error.hpp"

#include <algorithm>
#include <cstring>

namespace vigil {

namespace {

constexpr std::size_t kName = 200;
constexpr std::size_t kWhole = SIZE_MAX;  // cutting it would leave nothing that can be read

// Bytes that a text of each kind may have.
constexpr std::array<std::size_t, kErrorTexts> kLongest = {
    4096,  2048,  1024,  4096,  2048,  kName, kName, kName,  kName,
    kName, kName, kName, kName, kName, kName, kName, kWhole, kWhole};

constexpr std::size_t kTextHeader = sizeof(std::uint8_t) + sizeof(std::uint32_t);

constexpr std::size_t largest() {
  std::size_t size = sizeof(ServerErrorFacts);
  for (const std::size_t longest : kLongest)
    if (longest != kWhole) size += kTextHeader + longest;
  return size;
}
static_assert(largest() <= kMaxPackedTexts);

std::string_view cut(std::string_view text, std::size_t longest) {
  if (text.size() <= longest) return text;
  std::size_t size = longest;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

// The first line of the text, which is taken off.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

std::string_view take_word(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = line.find_first_not_of(kBlank);
  line.remove_prefix(begin == line.npos ? line.size() : begin);
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

bool names_function(std::string_view line) {
  constexpr std::string_view kCompilation = "compilation of ";
  if (line.starts_with(kCompilation)) line.remove_prefix(kCompilation.size());
  return line.starts_with("SQL function \"") ||
         (line.starts_with("PL/") && line.find(" function ") != line.npos);
}

}  // namespace

std::size_t packed_size(const ServerError& error) noexcept {
  std::size_t size = sizeof(ServerErrorFacts);
  for (std::size_t i = 0; i < kErrorTexts; ++i)
    size += kTextHeader + std::min(error.texts[i].size(), kLongest[i]);
  return size;
}

std::size_t pack(const ServerError& error, char* out) noexcept {
  const ServerErrorFacts& facts = error;
  std::memcpy(out, &facts, sizeof facts);
  std::size_t used = sizeof facts;
  for (std::size_t i = 0; i < kErrorTexts; ++i) {
    if (error.texts[i].empty()) continue;
    const std::string_view text = cut(error.texts[i], kLongest[i]);
    const auto size = static_cast<std::uint32_t>(text.size());
    out[used] = static_cast<char>(i);
    std::memcpy(out + used + 1, &size, sizeof size);
    std::memcpy(out + used + kTextHeader, text.data(), text.size());
    used += kTextHeader + text.size();
  }
  return used;
}

bool unpack(std::string_view bytes, ServerError& error) noexcept {
  ServerErrorFacts facts;
  if (bytes.size() < sizeof facts) return false;
  std::memcpy(&facts, bytes.data(), sizeof facts);
  bytes.remove_prefix(sizeof facts);
  error = {facts, {}};
  while (!bytes.empty()) {
    std::uint32_t size = 0;
    const auto text = static_cast<std::uint8_t>(bytes[0]);
    if (bytes.size() < kTextHeader || text >= kErrorTexts) return false;
    std::memcpy(&size, bytes.data() + 1, sizeof size);
    bytes.remove_prefix(kTextHeader);
    if (bytes.size() < size) return false;
    error.texts[text] = bytes.substr(0, size);
    bytes.remove_prefix(size);
  }
  return true;
}

void frames_of_context(std::string_view context, std::pmr::string& out) {
  while (!context.empty()) {
    const std::string_view line = take_line(context);
    if (!names_function(line)) continue;
    if (!out.empty()) out.push_back('\n');
    out.append(line);
  }
}

ConditionNames::ConditionNames(std::string_view errcodes, std::pmr::memory_resource* resource)
    : conditions_(resource) {
  constexpr std::string_view kMacro = "ERRCODE_";
  while (!errcodes.empty()) {
    std::string_view line = take_line(errcodes);
    const std::string_view sqlstate = take_word(line);
    const std::string_view kind = take_word(line);
    const std::string_view macro = take_word(line);
    const std::string_view name = take_word(line);
    if (sqlstate.size() == 5 && kind.size() == 1 && macro.starts_with(kMacro) && !name.empty())
      conditions_.push_back({sqlstate, name});
  }
  // The first name of a code is the one that PostgreSQL's documentation has.
  std::stable_sort(conditions_.begin(), conditions_.end(),
                   [](const Condition& a, const Condition& b) { return a.sqlstate < b.sqlstate; });
}

std::string_view ConditionNames::find(std::string_view sqlstate) const noexcept {
  const auto found = std::lower_bound(
      conditions_.begin(), conditions_.end(), sqlstate,
      [](const Condition& condition, std::string_view code) { return condition.sqlstate < code; });
  return found != conditions_.end() && found->sqlstate == sqlstate ? found->name : sqlstate;
}

}  // namespace vigil
