#include "core/cron.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <limits>
#include <span>
#include <string>

#include "core/error.hpp"
#include "core/time_bucket.hpp"

namespace vigil {

namespace {

constexpr std::int64_t kMinute = 60'000'000;
constexpr std::int64_t kMinutesOfDay = 24 * 60;
constexpr std::int64_t kEpoch =
    std::chrono::sys_days{std::chrono::year{2000} / 1 / 1}.time_since_epoch().count();
constexpr std::int64_t kEnd =
    (std::chrono::sys_days{std::chrono::year{10000} / 1 / 1}.time_since_epoch().count() - kEpoch) *
    kDay;
// From one 29 February that is a Sunday to the next, over a year 2100.
constexpr int kLongestGap = 40 * 12;

// --- Reading ------------------------------------------------------------------------------------

constexpr std::string_view kMonthNames[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                            "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kWeekdayNames[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Field {
  const char* name;
  const char* values;  // in words
  int low;
  int high;
  int count;  // of different values
  std::span<const std::string_view> names;
};

constexpr int kSunday = 7;
constexpr Field kFields[] = {{"minute", "from 0 to 59", 0, 59, 60, {}},
                             {"hour", "from 0 to 23", 0, 23, 24, {}},
                             {"day of month", "from 1 to 31", 1, 31, 31, {}},
                             {"month", "from 1 to 12 or jan to dec", 1, 12, 12, kMonthNames},
                             {"day of week", "from 0 to 7 or sun to sat", 0, 7, 7, kWeekdayNames}};

constexpr struct {
  std::string_view name;
  std::string_view fields;
} kNicknames[] = {{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
                  {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
                  {"@annually", "0 0 1 1 *"}};

constexpr char kForm[] =
    "Give minute, hour, day of month, month and day of week, as in 30 3 * * 1-5; or @hourly, "
    "@daily, @weekly, @monthly or @yearly.";

[[noreturn]] void fail(std::string message, std::string hint) {
  throw Error(Code::kInvalidArgument, std::move(message), {}, std::move(hint));
}

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

[[noreturn]] void fail(const Field& field, std::string_view item, const std::string& why) {
  fail("cron expression: " + std::string(field.name) + ' ' + quoted(item) + ' ' + why,
       "Give *, a number " + std::string(field.values) +
           ", a range as in 1-5, a list as in 1,3,5, or a step as in */2 or 1-5/2.");
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_word(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                    [](char a, char b) { return lower(a) == b; });
}

// Cuts off what stands before the first separator; no value when nothing is left to cut.
std::optional<std::string_view> take(std::optional<std::string_view>& text, char separator) {
  const std::optional<std::string_view> before = text;
  if (!before) return before;
  const std::size_t end = before->find(separator);
  text.reset();
  if (end == std::string_view::npos) return before;
  text = before->substr(end + 1);
  return before->substr(0, end);
}

// A number of at most `high`.
std::optional<int> read_number(std::string_view text, int high) {
  if (text.empty()) return std::nullopt;
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
    if (number > high) return std::nullopt;
  }
  return number;
}

int read_value(const Field& field, std::string_view item, std::string_view text) {
  for (std::size_t i = 0; i < field.names.size(); ++i)
    if (is_word(text, field.names[i])) return field.low + static_cast<int>(i);
  const auto number = read_number(text, field.high);
  if (!number || *number < field.low)
    fail(field, item, "must be a number " + std::string(field.values));
  return *number;
}

// An element of a list.
std::uint64_t read_item(const Field& field, std::string_view item) {
  std::optional<std::string_view> rest = item;
  std::optional<std::string_view> range = take(rest, '/');
  const bool all = *range == "*";
  const bool ranged = range->find('-') != std::string_view::npos;
  int first = field.low;
  int last = field.high;
  int step = 1;
  if (!all) {
    first = last = read_value(field, item, *take(range, '-'));
    if (range) last = read_value(field, item, *range);
    if (field.high == kSunday && last == 0 && first > 0) last = kSunday;
    if (last < first) fail(field, item, "runs backwards");
  }
  if (rest) {
    if (!all && !ranged) fail(field, item, "has a step but no range");
    const auto number = read_number(*rest, field.count);
    if (!number || *number == 0)
      fail(field, item, "must have a step from 1 to " + std::to_string(field.count));
    step = *number;
  }
  std::uint64_t values = 0;
  for (int value = first; value <= last; value += step) values |= std::uint64_t{1} << value;
  return values;
}

std::uint64_t read_field(const Field& field, std::string_view text) {
  std::uint64_t values = 0;
  std::optional<std::string_view> rest = text;
  while (const auto item = take(rest, ',')) values |= read_item(field, *item);
  return values;
}

std::string_view expand(std::string_view text) {
  for (const auto& nickname : kNicknames)
    if (is_word(text, nickname.name)) return nickname.fields;
  if (text.starts_with('@')) fail("cron expression " + quoted(text) + " is not known", kForm);
  return text;
}

// The next field; empty when there is none.
std::string_view take_field(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  const auto length = std::find_if(text.begin(), text.end(), is_blank) - text.begin();
  const std::string_view field = text.substr(0, static_cast<std::size_t>(length));
  text.remove_prefix(field.size());
  return field;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// --- Calendar -----------------------------------------------------------------------------------

std::int64_t floor_divide(std::int64_t value, std::int64_t by) noexcept {
  return value / by - (value % by < 0 ? 1 : 0);
}

// Bits from `low` on.
std::uint64_t from(std::uint64_t bits, unsigned low) noexcept { return bits >> low << low; }

}  // namespace

Cron::Cron(std::string_view expression) {
  if (expression.size() > kLongest)
    fail("cron expression has " + std::to_string(expression.size()) + " bytes, but at most " +
             std::to_string(kLongest) + " are allowed",
         kForm);
  expression = trim(expression);
  std::string_view rest = expand(expression);
  std::string_view texts[std::size(kFields)];
  std::size_t count = 0;
  for (std::string_view field = take_field(rest); !field.empty(); field = take_field(rest), ++count)
    if (count < std::size(texts)) texts[count] = field;
  if (count != std::size(texts))
    fail("cron expression " + quoted(expression) + " has " + std::to_string(count) +
             " fields, not 5",
         kForm);
  std::uint64_t* const values[] = {&minutes_, &hours_, &days_, &months_, &weekdays_};
  for (std::size_t i = 0; i < count; ++i) *values[i] = read_field(kFields[i], texts[i]);
  weekdays_ = (weekdays_ | weekdays_ >> kSunday) & 0x7F;
  either_day_ = !texts[2].starts_with('*') && !texts[4].starts_with('*');
  if (!has_day())
    fail("cron expression " + quoted(expression) + ": no month " + quoted(texts[3]) +
             " has a day " + quoted(texts[2]),
         "The longest of these months must have the day.");
}

bool Cron::has_day() const noexcept {
  if (either_day_) return true;
  for (unsigned month = 1; month <= 12; ++month) {
    const unsigned length = month == 2                                              ? 29
                            : month == 4 || month == 6 || month == 9 || month == 11 ? 30
                                                                                    : 31;
    if ((months_ >> month & 1) != 0 && from(days_, length + 1) != days_) return true;
  }
  return false;
}

// The first day that matches, from a day of 2000-01-01 + n on.
std::optional<std::int64_t> Cron::next_day(std::int64_t day) const noexcept {
  using namespace std::chrono;
  // Bit n: Sunday + n. Six weeks, for a month may begin on any day of the first.
  const std::uint64_t weeks = weekdays_ * 0x810204081;
  const year_month_day date{sys_days{days{day + kEpoch}}};
  year_month month{date.year(), date.month()};
  unsigned first = static_cast<unsigned>(date.day());
  for (int i = 0; i <= kLongestGap; ++i, month += months{1}, first = 1) {
    if ((months_ >> static_cast<unsigned>(month.month()) & 1) == 0) continue;
    const sys_days begin{month / 1};
    const unsigned length = static_cast<unsigned>((month / last).day());
    const std::uint64_t by_week = weeks >> weekday{begin}.c_encoding() << 1;
    const std::uint64_t both = either_day_ ? days_ | by_week : days_ & by_week;
    const std::uint64_t rest = from(both & ((std::uint64_t{2} << length) - 1), first);
    if (rest != 0) return begin.time_since_epoch().count() - kEpoch + std::countr_zero(rest) - 1;
  }
  return std::nullopt;
}

// The first minute of a day, from this one on.
std::optional<int> Cron::next_minute(int minute) const noexcept {
  const auto hour = static_cast<unsigned>(minute) / 60;
  const std::uint64_t rest = from(minutes_, static_cast<unsigned>(minute) % 60);
  if ((hours_ >> hour & 1) != 0 && rest != 0)
    return static_cast<int>(hour) * 60 + std::countr_zero(rest);
  const std::uint64_t later = from(hours_, hour + 1);
  if (later == 0) return std::nullopt;
  return std::countr_zero(later) * 60 + std::countr_zero(minutes_);
}

std::optional<std::int64_t> Cron::next(std::int64_t after) const noexcept {
  if (after >= kEnd) return std::nullopt;
  const std::int64_t start = floor_divide(std::max(after, kFirstTime), kMinute) + 1;
  std::int64_t day = floor_divide(start, kMinutesOfDay);
  int minute = static_cast<int>(start - day * kMinutesOfDay);
  for (;; ++day, minute = 0) {
    const auto found = next_day(day);
    if (!found) return std::nullopt;
    if (*found != day) minute = 0;
    day = *found;
    if (const auto time = next_minute(minute)) return (day * kMinutesOfDay + *time) * kMinute;
  }
}

std::optional<std::int64_t> Cron::next(std::int64_t after, const ZoneClock& zone) const {
  if (after >= kEnd) return std::nullopt;
  after = std::max(after, kFirstTime);
  constexpr std::uint64_t kEveryHour = (std::uint64_t{1} << 24) - 1;
  const bool steady = hours_ == kEveryHour;
  // What the clocks have shown: nothing up to there is due any more. They may have been set just
  // before, so it begins a day earlier.
  ZoneSpan span = zone.span(after - kDay);
  std::int64_t begin = std::numeric_limits<std::int64_t>::min();  // of the span
  std::int64_t shown = begin;
  const auto enter_next = [&] {
    const std::int64_t before = span.ahead;
    begin = span.until;
    span = zone.span(begin);
    shown = steady ? begin + span.ahead - 1 : std::max(shown, begin + before - 1);
  };
  while (span.until <= after) enter_next();
  shown = std::max(shown, after + span.ahead);
  for (;; enter_next()) {
    const auto wall = next(shown);
    if (!wall) return std::nullopt;
    // What was skipped runs as soon as the clocks have been set.
    const std::int64_t time = std::max(*wall - span.ahead, begin);
    if (time < span.until) return time;
  }
}

}  // namespace vigil
