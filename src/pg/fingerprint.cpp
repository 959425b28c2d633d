#include "pg/fingerprint.hpp"

#include "pg/json.hpp"
#include "pg/spi.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

[[noreturn]] void refuse_rule(std::size_t number, const std::string& reason) {
  throw Error(Code::kInvalidArgument, "rule " + std::to_string(number) + ": " + reason, {},
              "A rule is {\"action\": \"app\", \"library\" or \"drop\", \"file\": pattern, "
              "\"function\": pattern}, or {\"action\": \"key\", \"name\": pattern, \"message\": "
              "pattern, \"key\": [texts]}.");
}

std::string_view pattern(std::size_t number, std::string_view key, const JsonValue& value) {
  if (value.kind == JsonValue::Kind::kNull) return {};
  if (value.kind != JsonValue::Kind::kText)
    refuse_rule(number, "\"" + std::string(key) + "\" is no text");
  if (value.text.size() > kMaxRulePattern)
    refuse_rule(number, "\"" + std::string(key) + "\" has " + std::to_string(value.text.size()) +
                            " bytes, the limit is " + std::to_string(kMaxRulePattern));
  return value.text;
}

std::span<const std::string_view> key_parts(std::size_t number, const JsonValue& value,
                                            std::pmr::memory_resource* resource) {
  const auto elements = value.kind == JsonValue::Kind::kArray ? elements_of(value.container)
                                                              : std::span<const JsonValue>();
  if (elements.empty()) refuse_rule(number, "\"key\" is no array of texts");
  auto* parts = static_cast<std::string_view*>(
      resource->allocate(elements.size() * sizeof(std::string_view), alignof(std::string_view)));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (elements[i].kind != JsonValue::Kind::kText)
      refuse_rule(number, "\"key\" is no array of texts");
    parts[i] = elements[i].text;
  }
  return {parts, elements.size()};
}

FingerprintRule read_rule(std::size_t number, const void* object,
                          std::pmr::memory_resource* resource) {
  FingerprintRule rule{};
  bool has_action = false;
  for (const Member& member : members_of(object)) {
    const auto text = [&] { return pattern(number, member.key, member.value); };
    if (member.key == "action") {
      rule.action = rule_action(text());
      has_action = true;
    } else if (member.key == "file") {
      rule.file = text();
    } else if (member.key == "function") {
      rule.function = text();
    } else if (member.key == "name") {
      rule.name = text();
    } else if (member.key == "message") {
      rule.message = text();
    } else if (member.key == "key") {
      if (member.value.kind != JsonValue::Kind::kNull)
        rule.key = key_parts(number, member.value, resource);
    } else {
      refuse_rule(number, "unknown member \"" + std::string(member.key) + "\"");
    }
  }
  if (!has_action) refuse_rule(number, "\"action\" is missing");
  const bool of_frame = !rule.file.empty() || !rule.function.empty();
  const bool of_error = !rule.name.empty() || !rule.message.empty();
  if (rule.action == RuleAction::kKey) {
    if (rule.key.empty()) refuse_rule(number, "\"key\" is missing");
    if (of_frame || !of_error) refuse_rule(number, "a key is given by name or message");
  } else if (of_error || !of_frame || !rule.key.empty()) {
    refuse_rule(number, "a frame is told by file or function");
  }
  return rule;
}

std::string_view text_argument(FunctionCallInfo fcinfo, int number) {
  return PG_ARGISNULL(number) ? std::string_view() : text_view(PG_GETARG_DATUM(number));
}

enum class Schema { kV1, kSeed };

Schema scheme_argument(FunctionCallInfo fcinfo) {
  const std::string_view scheme = text_view(PG_GETARG_DATUM(4));
  if (scheme == "v1") return Schema::kV1;
  if (scheme == "seed") return Schema::kSeed;
  throw Error(Code::kInvalidArgument, "unknown fingerprint scheme \"" + std::string(scheme) + "\"",
              {}, "Known schemes: v1, seed.");
}

ErrorReport report_of(FunctionCallInfo fcinfo) {
  return {text_argument(fcinfo, 0), text_argument(fcinfo, 1), text_argument(fcinfo, 2),
          text_argument(fcinfo, 3)};
}

// Nothing can be said of nothing, or without a scheme; scheme seed asks for type and name.
bool is_unknown(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(4)) return true;
  if (scheme_argument(fcinfo) == Schema::kSeed) return PG_ARGISNULL(0) || PG_ARGISNULL(1);
  return PG_ARGISNULL(0) && PG_ARGISNULL(1) && PG_ARGISNULL(2) && PG_ARGISNULL(3);
}

// The rules in argument 5; none when it is null.
class RulesArgument {
 public:
  explicit RulesArgument(FunctionCallInfo fcinfo) : resource_(CurrentMemoryContext) {
    if (!PG_ARGISNULL(5)) list_.emplace(PG_GETARG_DATUM(5), &resource_);
  }
  FingerprintRules rules() const { return list_ ? list_->rules() : FingerprintRules(); }

 private:
  ContextResource resource_;
  std::optional<FingerprintRuleList> list_;
};

std::string seed_key(const ErrorReport& report) {
  return seed_fingerprint(report.type, report.name, report.stack);
}

void write_frame(JsonWriter& json, std::size_t ordinal, const ExplainedFrame& explained) {
  const StackFrame& frame = explained.frame;
  json.begin_object();
  json.key("ordinal");
  json.integer(static_cast<std::int64_t>(ordinal));
  json.key("raw");
  json.text(frame.raw);
  json.key("function");
  json.text(explained.function);
  json.key("file");
  json.text(explained.file);
  json.key("kind");
  json.text(vigil::name_of(frame.kind));
  json.key("kept");
  json.boolean(explained.verdict == FrameVerdict::kKept);
  json.key("why");
  json.text(reason_of(explained.verdict));
  json.end_object();
}

void write_part(JsonWriter& json, const TemplatePart& part) {
  json.begin_object();
  json.key("text");
  json.text(part.text);
  json.key("kept");
  json.boolean(part.placeholder.empty());
  if (!part.placeholder.empty()) {
    json.key("as");
    json.text(part.placeholder);
  }
  json.end_object();
}

void write_rule(JsonWriter& json, const FingerprintRule* rule) {
  json.key("rule");
  if (rule == nullptr) return json.null();
  json.begin_object();
  json.key("name");
  json.text(rule->name);
  json.key("message");
  json.text(rule->message);
  json.key("key");
  json.begin_array();
  for (const std::string_view part : rule->key) json.text(part);
  json.end_array();
  json.end_object();
}

Datum explained_json(const FingerprintExplanation& explanation) {
  JsonWriter json;
  json.begin_object();
  json.key("scheme");
  json.text("v1");
  json.key("keys");
  json.begin_array();
  for (const Fingerprint& key : explanation.ladder.keys()) json.text(text_of(key));
  json.end_array();
  json.key("basis");
  json.text(reason_of(explanation.basis));
  json.key("name");
  json.text(explanation.name);
  json.key("cause");
  explanation.cause.empty() ? json.null() : json.text(explanation.cause);
  json.key("message");
  json.begin_object();
  json.key("template");
  json.text(explanation.message);
  json.key("with_frames");
  json.text(explanation.message_by_frames);
  json.key("parts");
  json.begin_array();
  for (const TemplatePart& part : explanation.message_parts) write_part(json, part);
  json.end_array();
  json.end_object();
  json.key("frames");
  json.begin_array();
  for (std::size_t i = 0; i < explanation.frames.size(); ++i)
    write_frame(json, i + 1, explanation.frames[i]);
  json.end_array();
  write_rule(json, explanation.rule);
  json.end_object();
  return json.finish();
}

}  // namespace

namespace vigil::pg {

FingerprintRuleList::FingerprintRuleList(Datum rules, std::pmr::memory_resource* resource)
    : rules_(resource) {
  const JsonbContainer* container = json_container(rules);
  if (!JsonContainerIsArray(container) || JsonContainerIsScalar(container))
    throw Error(Code::kInvalidArgument, "rules of fingerprints are no array", {},
                "SELECT vigil.fingerprint_rules_of(module_id);");
  const auto elements = elements_of(container);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (elements[i].kind != JsonValue::Kind::kObject) refuse_rule(i + 1, "it is no object");
    rules_.push_back(read_rule(i + 1, elements[i].container, resource));
  }
}

}  // namespace vigil::pg

extern "C" {

// fingerprint(error_type, error_name, message, stack, scheme, rules)
PG_FUNCTION_INFO_V1(vigil_fingerprint);
Datum vigil_fingerprint(PG_FUNCTION_ARGS) {
  const NullableDatum result = entry([&]() -> NullableDatum {
    if (is_unknown(fcinfo)) return {0, true};
    const ErrorReport report = report_of(fcinfo);
    if (scheme_argument(fcinfo) == Schema::kSeed) return {text_datum(seed_key(report)), false};
    const RulesArgument rules(fcinfo);
    return {text_datum(text_of(fingerprint(report, rules.rules()))), false};
  });
  if (result.isnull) PG_RETURN_NULL();
  return result.value;
}

// fingerprints(error_type, error_name, message, stack, scheme, rules): the ladder
PG_FUNCTION_INFO_V1(vigil_fingerprints);
Datum vigil_fingerprints(PG_FUNCTION_ARGS) {
  const NullableDatum result = entry([&]() -> NullableDatum {
    if (is_unknown(fcinfo)) return {0, true};
    const ErrorReport report = report_of(fcinfo);
    ArrayBuilder keys(TEXTOID);
    if (scheme_argument(fcinfo) == Schema::kSeed) {
      keys.add_text(std::string_view(seed_key(report)));
    } else {
      const RulesArgument rules(fcinfo);
      const FingerprintLadder ladder = fingerprints(report, rules.rules());
      for (const Fingerprint& key : ladder.keys()) keys.add_text(text_of(key));
    }
    return {keys.build(), false};
  });
  if (result.isnull) PG_RETURN_NULL();
  return result.value;
}

// explain_fingerprint(error_type, error_name, message, stack, rules)
PG_FUNCTION_INFO_V1(vigil_explain_fingerprint);
Datum vigil_explain_fingerprint(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    std::optional<FingerprintRuleList> rules;
    if (!PG_ARGISNULL(4)) rules.emplace(PG_GETARG_DATUM(4), &resource);
    FingerprintExplanation explanation(&resource);
    const ErrorReport report = report_of(fcinfo);
    explain_fingerprint(report, rules ? rules->rules() : FingerprintRules(), explanation);
    return explained_json(explanation);
  });
}

// custom_fingerprint(parts, default_key)
PG_FUNCTION_INFO_V1(vigil_custom_fingerprint);
Datum vigil_custom_fingerprint(PG_FUNCTION_ARGS) {
  return entry([&] {
    struct Elements {
      Datum* values;
      bool* nulls;
      int count;
    };
    const Elements elements = call([&] {
      Elements all{};
      deconstruct_array_builtin(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, &all.values, &all.nulls,
                                &all.count);
      return all;
    });
    std::vector<std::string_view> parts;
    for (int i = 0; i < elements.count; ++i)
      if (!elements.nulls[i]) parts.push_back(text_view(elements.values[i]));
    if (parts.empty())
      throw Error(Code::kNullValue, "a custom fingerprint has no parts", {},
                  "SELECT vigil.custom_fingerprint(ARRAY['{{ default }}', 'checkout'], key);");
    return text_datum(custom_fingerprint(parts, text_view(PG_GETARG_DATUM(1))));
  });
}
}
