#include "core/retry.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace vigil {
namespace {

constexpr std::array<std::int64_t, kMaxDeliveryAttempts> kDelaySeconds = {
    0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

struct DateParts {
  int day = 0;
  int month = 0;
  int year = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

// The number of a month by its English abbreviation at the front of text, or 0.
int month_number(std::string_view text) noexcept {
  constexpr std::string_view names = "JanFebMarAprMayJunJulAugSepOctNovDec";
  for (std::size_t i = 0; i < 12; ++i) {
    if (text.substr(0, 3) == names.substr(3 * i, 3)) return static_cast<int>(i) + 1;
  }
  return 0;
}

// The part that a letter of a pattern stands for; null for other characters.
int* part_of(DateParts& parts, char letter) noexcept {
  switch (letter) {
    case 'd':
      return &parts.day;
    case 'y':
      return &parts.year;
    case 'h':
      return &parts.hour;
    case 'm':
      return &parts.minute;
    case 's':
      return &parts.second;
    default:
      return nullptr;
  }
}

// Matches text with a pattern: d y h m s are digits of a part, _ is the first digit of the day or a
// blank, bbb a month, ? anything; other characters are themselves.
std::optional<DateParts> match(std::string_view text, std::string_view pattern) noexcept {
  if (text.size() != pattern.size()) return std::nullopt;
  DateParts parts;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = pattern[i] == '_' && text[i] != ' ' ? 'd' : pattern[i];
    if (letter == '?' || letter == '_') continue;
    if (letter == 'b') {
      if (parts.month == 0 && (parts.month = month_number(text.substr(i))) == 0) return {};
    } else if (int* part = part_of(parts, letter)) {
      if (!is_digit(text[i])) return std::nullopt;
      *part = *part * 10 + text[i] - '0';
    } else if (text[i] != letter) {
      return std::nullopt;
    }
  }
  return parts;
}

// Seconds since the Unix epoch; no value for a date or time that does not exist.
std::optional<std::int64_t> to_unix(const DateParts& parts) noexcept {
  const std::chrono::year_month_day date(std::chrono::year(parts.year),
                                         std::chrono::month(static_cast<unsigned>(parts.month)),
                                         std::chrono::day(static_cast<unsigned>(parts.day)));
  if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86400 + (parts.hour * 60 + parts.minute) * 60 + parts.second;
}

int year_of(std::int64_t unix) noexcept {
  constexpr std::int64_t last = 253'402'300'799;
  const std::chrono::days days(std::clamp<std::int64_t>(unix, 0, last) / 86400);
  return static_cast<int>(std::chrono::year_month_day(std::chrono::sys_days(days)).year());
}

// A year of two digits is the one that is at most 50 years ahead (RFC 9110, section 5.6.7).
int whole_year(int year, std::int64_t now_unix) noexcept {
  const int now = year_of(now_unix);
  const int whole = now - now % 100 + year;
  return whole > now + 50 ? whole - 100 : whole;
}

std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now_unix) noexcept {
  if (const auto fixed = match(text, "???, dd bbb yyyy hh:mm:ss GMT")) return to_unix(*fixed);
  if (const auto c = match(text, "??? bbb _d hh:mm:ss yyyy")) return to_unix(*c);
  const std::size_t comma = text.find(',');
  if (comma == text.npos) return std::nullopt;
  auto old = match(text.substr(comma), ", dd-bbb-yy hh:mm:ss GMT");
  if (!old) return std::nullopt;
  old->year = whole_year(old->year, now_unix);
  return to_unix(*old);
}

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// A number of seconds, however large, within the cap.
std::optional<std::int64_t> parse_seconds(std::string_view text) noexcept {
  std::int64_t seconds = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    seconds = std::min(seconds * 10 + c - '0', kMaxRetryAfterSeconds);
  }
  return text.empty() ? std::nullopt : std::optional(seconds);
}

}  // namespace

std::optional<std::int64_t> retry_delay_ms(int attempt, std::uint32_t random,
                                           int max_attempts) noexcept {
  if (attempt < 0 || attempt >= std::min(max_attempts, kMaxDeliveryAttempts)) return std::nullopt;
  const std::int64_t seconds = kDelaySeconds[static_cast<std::size_t>(attempt)];
  return seconds * 800 + ((seconds * 400 * random) >> 32);
}

std::optional<std::int64_t> parse_retry_after(std::string_view value,
                                              std::int64_t now_unix) noexcept {
  value = trim(value);
  if (const auto seconds = parse_seconds(value)) return seconds;
  const auto date = parse_http_date(value, now_unix);
  if (!date) return std::nullopt;
  if (*date <= now_unix) return 0;
  // Unsigned, so that a clock far in the past cannot overflow.
  const std::uint64_t wait =
      static_cast<std::uint64_t>(*date) - static_cast<std::uint64_t>(now_unix);
  return static_cast<std::int64_t>(std::min<std::uint64_t>(wait, kMaxRetryAfterSeconds));
}

Verdict judge_status(int http_status) noexcept {
  if (http_status >= 200 && http_status < 300) return Verdict::kDelivered;
  if (http_status == 410) return Verdict::kGone;
  if (http_status == 408 || http_status == 425 || http_status == 429) return Verdict::kRetry;
  if (http_status < 200 || (http_status >= 500 && http_status < 600)) return Verdict::kRetry;
  return Verdict::kPermanent;
}

}  // namespace vigil
