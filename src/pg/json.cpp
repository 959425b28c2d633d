#include "pg/json.hpp"

#include <charconv>

#include "core/char_set.hpp"
#include "core/ip.hpp"

namespace vigil::pg {

namespace {

JsonbContainer* container_of(const void* container) {
  return const_cast<JsonbContainer*>(static_cast<const JsonbContainer*>(container));
}

// Runs inside call(): neither throws nor owns anything.
JsonValue plain_value(const JsonbValue& source) noexcept {
  JsonValue value;
  switch (source.type) {
    case jbvBool:
      value.kind = JsonValue::Kind::kBoolean;
      value.boolean = source.val.boolean;
      value.text = value.boolean ? "true" : "false";
      break;
    case jbvNumeric: {
      value.kind = JsonValue::Kind::kNumber;
      const char* text =
          DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(source.val.numeric)));
      value.text = text;
      // Out of double's range: infinity, which every check refuses.
      if (std::from_chars(text, text + value.text.size(), value.number).ec != std::errc())
        value.number = get_float8_infinity();
      break;
    }
    case jbvString:
      value.kind = JsonValue::Kind::kText;
      value.text = {source.val.string.val, static_cast<std::size_t>(source.val.string.len)};
      break;
    case jbvBinary:
      value.kind = JsonContainerIsArray(source.val.binary.data) ? JsonValue::Kind::kArray
                                                                : JsonValue::Kind::kObject;
      value.container = source.val.binary.data;
      break;
    default:
      value.text = "null";
  }
  return value;
}

JsonbValue string_value(std::string_view text) noexcept {
  JsonbValue value{};
  value.type = jbvString;
  value.val.string.val = const_cast<char*>(text.data());
  value.val.string.len = static_cast<int>(text.size());
  return value;
}

bool same_letters(std::string_view key, std::string_view plain) noexcept {
  std::size_t at = 0;
  for (const char c : key) {
    if (c == '_' || c == '-') continue;
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (at == plain.size() || plain[at] != lower) return false;
    ++at;
  }
  return at == plain.size();
}

// Members whose value is an address of a person, whatever its form.
bool names_address(std::string_view key) noexcept {
  static constexpr CharSet kFirst("iIcCuUrRxXtTfF_-");
  if (key.empty() || !kFirst.has(key.front())) return false;
  for (const std::string_view plain :
       {"ip", "ipaddress", "ipaddr", "clientip", "userip", "remoteip", "remoteaddr",
        "remoteaddress", "xforwardedfor", "xrealip", "cfconnectingip", "trueclientip", "forwarded"})
    if (same_letters(key, plain)) return true;
  return false;
}

bool is_hex(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Whether the text has what every address has: three dots among digits, or hexadecimal groups with
// two colons in a row or seven in all. Times of day have neither.
bool could_hold_address(std::string_view text) noexcept {
  int dots = 0;
  int colons = 0;
  char last = ' ';
  for (const char c : text) {
    if (c == '.' && last >= '0' && last <= '9') {
      if (++dots == 3) return true;
    } else if (c == ':') {
      if (last == ':' || ++colons == 7) return true;
    } else if (!is_hex(c)) {
      dots = colons = 0;
    } else if (c > '9') {
      dots = 0;
    }
    last = c;
  }
  return false;
}

// Members whose texts look like addresses and are none.
bool names_version(std::string_view key) noexcept {
  const std::string_view words[] = {"ersion", "elease", "gent", "build", "Build"};
  return std::any_of(std::begin(words), std::end(words),
                     [&](std::string_view word) { return key.find(word) != key.npos; });
}

// One pass without copying: nearly every payload has nothing to hide. Raises when it is nested too
// deep.
bool find_suspect(const JsonbContainer* container) {
  check_stack_depth();
  const bool object = JsonContainerIsObject(container);
  const std::uint32_t size = JsonContainerSize(container);
  const std::uint32_t children = object ? size * 2 : size;  // all keys, then their values
  const char* const data = reinterpret_cast<const char*>(&container->children[children]);
  std::uint32_t end = 0;
  for (std::uint32_t i = 0; i < children; ++i) {
    const JEntry entry = container->children[i];
    const std::uint32_t start = end;
    JBE_ADVANCE_OFFSET(end, entry);
    if (JBE_ISSTRING(entry)) {
      const std::string_view text(data + start, end - start);
      if (object && i < size ? names_address(text) : could_hold_address(text)) return true;
    } else if (JBE_ISCONTAINER(entry)) {
      if (find_suspect(reinterpret_cast<const JsonbContainer*>(data + INTALIGN(start))))
        return true;
    }
  }
  return false;
}

bool has_suspect(const JsonbContainer* container) {
  return call([&] { return find_suspect(container); });
}

// False if there is none. Does not raise: it allocates only for a caller who gives no value.
bool find_member(const void* object, std::string_view key, JsonbValue& value) noexcept {
  return object != nullptr && JsonContainerIsObject(container_of(object)) &&
         getKeyJsonValueFromContainer(container_of(object), key.data(),
                                      static_cast<int>(key.size()), &value) != nullptr;
}

Datum whole_json(JsonbContainer* container) {
  return call([&] {
    JsonbValue value{};
    value.type = jbvBinary;
    value.val.binary.data = container;
    value.val.binary.len = static_cast<int>(json_size(container));
    return JsonbPGetDatum(JsonbValueToJsonb(&value));
  });
}

// Copies a container token by token.
class JsonScrubber {
 public:
  explicit JsonScrubber(JsonbContainer* container)
      : resource_(CurrentMemoryContext),
        iterator_(call([&] { return JsonbIteratorInit(container); })) {}

  Datum run() {
    for (JsonbIteratorToken token = next(false); token != WJB_DONE; token = next(false)) {
      if (token == WJB_KEY) {
        key_ = text();
        if (names_address(key_)) {
          next(true);  // its value, whole, is left out with it
          continue;
        }
      }
      if ((token == WJB_VALUE || token == WJB_ELEM) && value_.type == jbvString) mask();
      push(token);
    }
    return call([&] { return JsonbPGetDatum(JsonbValueToJsonb(result_)); });
  }

 private:
  JsonbIteratorToken next(bool skip_nested) {
    return call([&] { return JsonbIteratorNext(&iterator_, &value_, skip_nested); });
  }

  std::string_view text() const {
    return {value_.val.string.val, static_cast<std::size_t>(value_.val.string.len)};
  }

  // The memory of a masked text is left to the context: the jsonb under construction points at it.
  void mask() {
    if (names_version(key_) || !could_hold_address(text())) return;
    auto* masked = new (allocate(sizeof(std::pmr::string))) std::pmr::string(&resource_);
    mask_ip_addresses(text(), *masked);
    value_ = string_value(*masked);
  }

  void push(JsonbIteratorToken token) {
    const bool carries = token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM;
    call([&] { result_ = pushJsonbValue(&state_, token, carries ? &value_ : nullptr); });
  }

  ContextResource resource_;
  JsonbIterator* iterator_;
  JsonbParseState* state_ = nullptr;
  JsonbValue* result_ = nullptr;
  JsonbValue value_{};
  std::string_view key_;
};

}  // namespace

const JsonbContainer* json_container(Datum jsonb) {
  // Only what is compressed, packed or stored elsewhere can fail to be read.
  const auto* plain = reinterpret_cast<const Jsonb*>(DatumGetPointer(jsonb));
  if (!VARATT_IS_EXTENDED(plain)) return &plain->root;
  return call([&] { return &DatumGetJsonbP(jsonb)->root; });
}

std::span<const Member> members_of(const void* object) {
  JsonbContainer* container = container_of(object);
  if (!JsonContainerIsObject(container)) return {};
  const std::size_t size = JsonContainerSize(container);
  auto* members = static_cast<Member*>(allocate(size * sizeof(Member) + 1));
  call([&] {
    JsonbIterator* iterator = JsonbIteratorInit(container);
    JsonbValue value;
    Member* next = members;
    for (;;) {
      const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &value, true);
      if (token == WJB_DONE) break;
      if (token == WJB_KEY)
        next->key = {value.val.string.val, static_cast<std::size_t>(value.val.string.len)};
      else if (token == WJB_VALUE)
        (next++)->value = plain_value(value);
    }
  });
  return {members, size};
}

std::span<const JsonValue> elements_of(const void* array) {
  JsonbContainer* container = container_of(array);
  if (!JsonContainerIsArray(container) || JsonContainerIsScalar(container)) return {};
  const std::size_t size = JsonContainerSize(container);
  auto* elements = static_cast<JsonValue*>(allocate(size * sizeof(JsonValue) + 1));
  call([&] {
    JsonbIterator* iterator = JsonbIteratorInit(container);
    JsonbValue value;
    JsonValue* next = elements;
    for (;;) {
      const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &value, true);
      if (token == WJB_DONE) break;
      if (token == WJB_ELEM) *next++ = plain_value(value);
    }
  });
  return {elements, size};
}

JsonValue member(const void* object, std::string_view key) {
  JsonbValue value;
  if (!find_member(object, key, value)) return {};
  return call([&] { return plain_value(value); });
}

std::string_view text_member(const void* object, std::string_view key) {
  JsonbValue value;
  if (!find_member(object, key, value)) return {};
  if (value.type == jbvString)
    return {value.val.string.val, static_cast<std::size_t>(value.val.string.len)};
  if (value.type != jbvNumeric) return {};
  return call([&] {
    return std::string_view(
        DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric))));
  });
}

const void* container_member(const void* object, std::string_view key) {
  return member(object, key).container;
}

std::size_t json_size(const void* container) {
  // A container does not know its length; its last child does.
  JsonbContainer* source = container_of(container);
  const bool object = JsonContainerIsObject(source);
  const std::uint32_t children = JsonContainerSize(source) * (object ? 2 : 1);
  std::size_t size = offsetof(JsonbContainer, children) + children * sizeof(JEntry);
  if (children > 0)
    size += getJsonbOffset(source, static_cast<int>(children - 1)) +
            getJsonbLength(source, static_cast<int>(children - 1));
  return size;
}

Datum scrubbed_json(const void* container) {
  JsonbContainer* source = container_of(container);
  return has_suspect(source) ? JsonScrubber(source).run() : whole_json(source);
}

Datum scrubbed_json(Datum jsonb) {
  JsonbContainer* source = container_of(json_container(jsonb));
  return has_suspect(source) ? JsonScrubber(source).run() : jsonb;
}

std::string_view json_text(const void* container) {
  return call([&] {
    StringInfoData text;
    initStringInfo(&text);
    JsonbToCString(&text, container_of(container), static_cast<int>(json_size(container)));
    return std::string_view(text.data, static_cast<std::size_t>(text.len));
  });
}

const JsonbContainer* parse_json(std::string_view checked) {
  char* text = static_cast<char*>(allocate(checked.size() + 1));
  std::memcpy(text, checked.data(), checked.size());
  text[checked.size()] = '\0';
  return call(
      [&] { return &DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)))->root; });
}

JsonObject::JsonObject() {
  call([&] { pushJsonbValue(&state_, WJB_BEGIN_OBJECT, nullptr); });
}

void JsonObject::add_key(std::string_view key) {
  empty_ = false;
  JsonbValue value = string_value(key);
  pushJsonbValue(&state_, WJB_KEY, &value);
}

void JsonObject::add_text(std::string_view key, std::string_view value) {
  if (value.empty()) return;
  call([&] {
    add_key(key);
    JsonbValue text = string_value(value);
    pushJsonbValue(&state_, WJB_VALUE, &text);
  });
}

void JsonObject::add(std::string_view key, const JsonValue& value) {
  if (value.kind == JsonValue::Kind::kNull) return;
  call([&] {
    add_key(key);
    JsonbValue pushed{};
    switch (value.kind) {
      case JsonValue::Kind::kBoolean:
        pushed.type = jbvBool;
        pushed.val.boolean = value.boolean;
        break;
      case JsonValue::Kind::kNumber:
        pushed.type = jbvNumeric;
        pushed.val.numeric =
            DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(value.text.data()),
                                                ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
        break;
      case JsonValue::Kind::kText:
        pushed = string_value(value.text);
        break;
      default:
        pushed.type = jbvBinary;
        pushed.val.binary.data = container_of(value.container);
        pushed.val.binary.len = static_cast<int>(json_size(value.container));
    }
    pushJsonbValue(&state_, WJB_VALUE, &pushed);
  });
}

Datum JsonObject::finish() {
  return call([&] {
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state_, WJB_END_OBJECT, nullptr)));
  });
}

void JsonWriter::push(JsonbIteratorToken token, JsonbValue* value) {
  result_ = call([&] { return pushJsonbValue(&state_, token, value); });
}

// What stands in an array has no key before it.
void JsonWriter::scalar(JsonbValue& value) {
  push(state_->contVal.type == jbvArray ? WJB_ELEM : WJB_VALUE, &value);
}

void JsonWriter::key(std::string_view key) {
  JsonbValue value = string_value(key);
  push(WJB_KEY, &value);
}

void JsonWriter::text(std::string_view text) {
  JsonbValue value = string_value(text);
  scalar(value);
}

void JsonWriter::boolean(bool truth) {
  JsonbValue value{};
  value.type = jbvBool;
  value.val.boolean = truth;
  scalar(value);
}

void JsonWriter::integer(std::int64_t number) {
  JsonbValue value{};
  value.type = jbvNumeric;
  value.val.numeric = call([&] { return int64_to_numeric(number); });
  scalar(value);
}

void JsonWriter::null() {
  JsonbValue value{};
  value.type = jbvNull;
  scalar(value);
}

Datum JsonWriter::finish() {
  return call([&] { return JsonbPGetDatum(JsonbValueToJsonb(result_)); });
}

}  // namespace vigil::pg
