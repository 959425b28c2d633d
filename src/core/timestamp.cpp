#include "core/timestamp.hpp"

#include <chrono>
#include <cmath>

namespace vigil {
namespace {

constexpr std::int64_t kMicros = 1'000'000;
constexpr double kLastMicros = 253402300799999999.0;  // 9999-12-31 23:59:59.999999 UTC

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Takes one part after the other from the front of the text; good() tells whether all were there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : text_(text) {}

  bool good() const noexcept { return good_; }
  bool done() const noexcept { return text_.empty(); }

  bool take_any(std::string_view wanted) noexcept {
    if (text_.empty() || wanted.find(text_[0]) == wanted.npos) return false;
    text_.remove_prefix(1);
    return true;
  }

  void need(std::string_view wanted) noexcept {
    if (!take_any(wanted)) good_ = false;
  }

  // A number of exactly so many digits, within the range.
  int number(std::size_t digits, int low, int high) noexcept {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) value = value * 10 + digit();
    if (value < low || value > high) good_ = false;
    return value;
  }

  // The digits of a fraction of a second, in microseconds.
  std::int64_t fraction() noexcept {
    std::int64_t value = 0;
    int count = 0;
    for (; !text_.empty() && is_digit(text_[0]); ++count) {
      const int next = digit();
      if (count < 6) value = value * 10 + next;
    }
    if (count < 1 || count > 9) good_ = false;
    for (; count < 6; ++count) value *= 10;
    return value;
  }

 private:
  int digit() noexcept {
    if (text_.empty() || !is_digit(text_[0])) {
      good_ = false;
      return 0;
    }
    const int value = text_[0] - '0';
    text_.remove_prefix(1);
    return value;
  }

  std::string_view text_;
  bool good_ = true;
};

// Days since the epoch; no value for a day that the calendar lacks.
std::optional<std::int64_t> take_date(Scanner& scanner) noexcept {
  const int year = scanner.number(4, 1, 9999);
  scanner.need("-");
  const int month = scanner.number(2, 1, 12);
  scanner.need("-");
  const int day = scanner.number(2, 1, 31);
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!scanner.good() || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

// Microseconds since midnight.
std::int64_t take_time(Scanner& scanner) noexcept {
  const int hour = scanner.number(2, 0, 23);
  scanner.need(":");
  const int minute = scanner.number(2, 0, 59);
  const std::int64_t whole = (hour * 60 + minute) * 60 * kMicros;
  if (!scanner.take_any(":")) return whole;
  const std::int64_t seconds = scanner.number(2, 0, 60) * kMicros;
  return whole + seconds + (scanner.take_any(".,") ? scanner.fraction() : 0);
}

// Microseconds that the clock of the zone is ahead of UTC.
std::int64_t take_zone(Scanner& scanner) noexcept {
  if (scanner.done() || scanner.take_any("Zz")) return 0;
  const bool ahead = scanner.take_any("+");
  if (!ahead) scanner.need("-");
  int minutes = scanner.number(2, 0, 23) * 60;
  if (!scanner.done()) {
    scanner.take_any(":");
    minutes += scanner.number(2, 0, 59);
  }
  return (ahead ? minutes : -minutes) * 60 * kMicros;
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) noexcept {
  Scanner scanner(text);
  const auto days = take_date(scanner);
  if (!days) return std::nullopt;
  scanner.need("Tt ");
  const std::int64_t time = take_time(scanner);
  const std::int64_t zone = take_zone(scanner);
  if (!scanner.good() || !scanner.done()) return std::nullopt;
  return *days * 86400 * kMicros + time - zone;
}

std::optional<std::int64_t> epoch_to_micros(double value) noexcept {
  if (!(value >= 0)) return std::nullopt;  // NaN too
  const double micros = value < 1e11   ? value * 1e6
                        : value < 1e14 ? value * 1e3
                        : value < 1e17 ? value
                                       : value / 1e3;
  if (micros > kLastMicros) return std::nullopt;
  return std::llround(micros);
}

}  // namespace vigil
