// A member of a client's object is refused with a reason, or becomes a field that its column holds.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "core/fact.hpp"

namespace {

using vigil::Column;
using vigil::ColumnType;
using vigil::Field;
using vigil::JsonValue;

void require(bool condition) {
  if (!condition) std::abort();
}

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

void check(const Column& column, Field& field) {
  switch (column.type) {
    case ColumnType::kText:
      require(column.longest == 0 || characters(field.text) <= column.longest);
      break;
    case ColumnType::kDouble:
      require(std::isfinite(field.number));
      require(column.name != "sample_weight" || (field.number >= 1 && field.number <= 1e9));
      break;
    case ColumnType::kBigint:
      require(field.integer >= 0);
      break;
    case ColumnType::kInteger:
      require(field.integer >= 0 && field.integer <= std::numeric_limits<std::int32_t>::max());
      break;
    case ColumnType::kTime:
      require(field.integer >= -62'135'596'800'000'000 && field.integer < 253'402'300'800'000'000);
      break;
    default:
      break;
  }
}

void read(const Column& column, const JsonValue& value) {
  Field field;
  const auto rejection = vigil::read_field(column, value, field);
  require(!rejection || (!field.present && !rejection->reason.empty()));
  require(!field.present || value.kind != JsonValue::Kind::kNull);
  if (field.present) check(column, field);
}

void clip(const Column& column, std::string_view text) {
  Field field;
  field.present = true;
  field.text = text;
  vigil::clip_text(column, field);
  require(text.substr(0, field.text.size()) == field.text);
  require(column.longest == 0 || characters(field.text) <= column.longest);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto columns = data[0] % 2 == 0 ? vigil::event_columns() : vigil::error_columns();
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const double number = std::strtod(std::string(text).c_str(), nullptr);
  const auto match = vigil::find_column(columns, text);
  require(match.index >= -1 && match.index < static_cast<int>(columns.size()));
  for (const Column& column : columns) {
    for (int kind = 0; kind <= static_cast<int>(JsonValue::Kind::kArray); ++kind) {
      read(column, {.kind = static_cast<JsonValue::Kind>(kind),
                    .boolean = true,
                    .number = number,
                    .text = text});
    }
    if (column.type == ColumnType::kText) clip(column, text);
  }
  (void)vigil::judge_success("api_call", text, text);
  (void)vigil::subject_key(text);
  return 0;
}
