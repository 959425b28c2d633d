// jsonb as plain values: its members, elements and texts, and copies without IP addresses.
#pragma once

#include "core/fact.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg {

struct Member {
  std::string_view key;
  JsonValue value;
};

// The outermost container of a jsonb datum, detoasted in the current memory context.
const JsonbContainer* json_container(Datum jsonb);

// The members of an object, in the order of jsonb; none for an array or scalar.
std::span<const Member> members_of(const void* object);

// The elements of an array; none for an object or scalar.
std::span<const JsonValue> elements_of(const void* array);

// A member of an object; a null value when there is none.
JsonValue member(const void* object, std::string_view key);

// A text or number member of an object as text; empty when there is none.
std::string_view text_member(const void* object, std::string_view key);

// An object or array member; null when there is none.
const void* container_member(const void* object, std::string_view key);

// Stored size of a container, bytes.
std::size_t json_size(const void* container);

// A jsonb datum of the container without IP addresses: members named as one (ip, ip_address,
// remote_addr, x-forwarded-for ...) are left out, addresses within texts become [ip]. Versions and
// user agents, which look alike, stay.
Datum scrubbed_json(const void* container);

// The same for a jsonb that stands alone; itself if it has none.
Datum scrubbed_json(Datum jsonb);

// The container as JSON text.
std::string_view json_text(const void* container);

// jsonb text of checked JSON (core/json_text.hpp) as a container.
const JsonbContainer* parse_json(std::string_view checked);

// Builds a jsonb object member by member.
class JsonObject {
 public:
  JsonObject();
  void add_text(std::string_view key, std::string_view value);
  void add(std::string_view key, const JsonValue& value);  // nothing for a null value
  bool empty() const { return empty_; }
  Datum finish();

 private:
  void add_key(std::string_view key);
  JsonbParseState* state_ = nullptr;
  bool empty_ = true;
};

// Writes a jsonb of any shape, piece by piece: a value stands behind its key, or in an array.
class JsonWriter {
 public:
  void begin_object() { push(WJB_BEGIN_OBJECT); }
  void end_object() { push(WJB_END_OBJECT); }
  void begin_array() { push(WJB_BEGIN_ARRAY); }
  void end_array() { push(WJB_END_ARRAY); }
  void key(std::string_view key);
  void text(std::string_view text);
  void boolean(bool value);
  void integer(std::int64_t value);
  void null();
  Datum finish();

 private:
  void push(JsonbIteratorToken token, JsonbValue* value = nullptr);
  void scalar(JsonbValue& value);

  JsonbParseState* state_ = nullptr;
  JsonbValue* result_ = nullptr;
};

}  // namespace vigil::pg
