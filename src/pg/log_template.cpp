#include "core/log_template.hpp"

#include <array>
#include <unordered_map>

#include "core/message_template.hpp"
#include "pg/spi.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// The texts of an array; nulls are marked, and empty.
struct Texts {
  std::span<const std::string_view> values;
  const bool* nulls;
};

Texts texts_of(Datum array) {
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int size = 0;
  const int dimensions = call([&] {
    ArrayType* plain = DatumGetArrayTypeP(array);
    deconstruct_array(plain, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &size);
    return ARR_NDIM(plain);
  });
  if (dimensions > 1)
    throw Error(Code::kInvalidArgument, "the array must have one dimension",
                "It has " + std::to_string(dimensions) + " dimensions.");
  const auto count = static_cast<std::size_t>(size);
  auto* values = static_cast<std::string_view*>(allocate(sizeof(std::string_view) * count));
  for (std::size_t i = 0; i < count; ++i)
    values[i] = nulls[i] ? std::string_view() : text_view(elements[i]);
  return {{values, count}, nulls};
}

std::uint32_t enough_of(int enough) {
  if (enough < 2 || enough > 1000)
    throw Error(Code::kInvalidArgument,
                "number of different words " + std::to_string(enough) + " is out of range",
                "It must be between 2 and 1000.");
  return static_cast<std::uint32_t>(enough);
}

Statement find_template{
    "SELECT coalesce(m.template, t.template) FROM vigil.log_templates t "
    "LEFT JOIN vigil.log_templates m ON m.module_id = t.module_id AND m.key = t.merged_into "
    "WHERE t.module_id = $1 AND t.key = $2"};

void check_interrupts(std::size_t item) {
  if (item % 1024 == 0) call([] { CHECK_FOR_INTERRUPTS(); });
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(vigil_key_of_template);
Datum vigil_key_of_template(PG_FUNCTION_ARGS) {
  return entry([&] {
    const TemplateKey key = key_of_template(text_view(PG_GETARG_DATUM(0)));
    return text_datum({key.data(), key.size()});
  });
}

PG_FUNCTION_INFO_V1(vigil_merged_templates);
Datum vigil_merged_templates(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Texts templates = texts_of(PG_GETARG_DATUM(0));
    const Texts apart = texts_of(PG_GETARG_DATUM(1));
    ContextResource memory(CurrentMemoryContext);
    const LearnedTemplates learned =
        learn_log_templates(templates.values, apart.values, enough_of(PG_GETARG_INT32(2)), &memory);
    ArrayBuilder out(TEXTOID);
    for (const std::uint32_t at : learned.merged) {
      if (at == LearnedTemplates::kAlone)
        out.add_null();
      else
        out.add_text(std::string_view(learned.texts[at]));
    }
    return out.build();
  });
}

PG_FUNCTION_INFO_V1(vigil_learned_templates);
Datum vigil_learned_templates(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Texts lines = texts_of(PG_GETARG_DATUM(0));
    const std::uint32_t enough = enough_of(PG_GETARG_INT32(1));
    ContextResource memory(CurrentMemoryContext);
    std::pmr::unordered_map<std::pmr::string, std::uint32_t> places(&memory);
    std::pmr::vector<std::string_view> templates(&memory);
    std::pmr::vector<std::uint32_t> place_of(&memory);
    place_of.reserve(lines.values.size());
    std::pmr::string text(&memory);
    for (std::size_t i = 0; i < lines.values.size(); ++i) {
      check_interrupts(i);
      text.clear();
      if (!lines.nulls[i]) message_template(lines.values[i], text);
      const auto [at, is_new] =
          places.try_emplace(text, static_cast<std::uint32_t>(templates.size()));
      if (is_new) templates.push_back(at->first);
      place_of.push_back(at->second);
    }
    const LearnedTemplates learned = learn_log_templates(templates, {}, enough, &memory);
    std::pmr::vector<Datum> results(&memory);
    for (std::size_t i = 0; i < templates.size(); ++i) {
      const std::uint32_t merged = learned.merged[i];
      results.push_back(text_datum(merged == LearnedTemplates::kAlone
                                       ? templates[i]
                                       : std::string_view(learned.texts[merged])));
    }
    ArrayBuilder out(TEXTOID);
    for (std::size_t i = 0; i < place_of.size(); ++i) {
      check_interrupts(i);
      if (lines.nulls[i])
        out.add_null();
      else
        out.add(results[place_of[i]]);
    }
    return out.build();
  });
}

PG_FUNCTION_INFO_V1(vigil_log_template);
Datum vigil_log_template(PG_FUNCTION_ARGS) {
  return entry([&] {
    const std::string_view line = text_view(PG_GETARG_DATUM(1));
    ContextResource memory(CurrentMemoryContext);
    std::pmr::string text(&memory);
    const TemplateKey key = template_key(line);
    bool known = false;
    {
      const SpiConnection spi;
      const std::array<Oid, 2> types{UUIDOID, TEXTOID};
      std::array<Datum, 2> values{PG_GETARG_DATUM(0), text_datum({key.data(), key.size()})};
      known = find_template.run(types, values, nullptr, true) > 0;
      if (known) {
        const Datum found = call([] {
          bool null = false;
          return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
        });
        text = text_view(found);
      }
    }
    if (!known) message_template(line, text);
    return text_datum(text);
  });
}

PG_FUNCTION_INFO_V1(vigil_known_templates);
Datum vigil_known_templates(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Texts lines = texts_of(PG_GETARG_DATUM(0));
    const Texts keys = texts_of(PG_GETARG_DATUM(1));
    const Texts templates = texts_of(PG_GETARG_DATUM(2));
    if (keys.values.size() != templates.values.size())
      throw Error(Code::kInvalidArgument, "there must be as many keys as templates",
                  "There are " + std::to_string(keys.values.size()) + " keys and " +
                      std::to_string(templates.values.size()) + " templates.");
    ContextResource memory(CurrentMemoryContext);
    std::pmr::unordered_map<std::string_view, Datum> known(&memory);
    known.reserve(keys.values.size());
    for (std::size_t i = 0; i < keys.values.size(); ++i)
      known.emplace(keys.values[i], text_datum(templates.values[i]));
    ArrayBuilder out(TEXTOID);
    std::pmr::string text(&memory);
    for (std::size_t i = 0; i < lines.values.size(); ++i) {
      check_interrupts(i);
      if (lines.nulls[i]) {
        out.add_null();
        continue;
      }
      const TemplateKey key = template_key(lines.values[i]);
      const auto found = known.find({key.data(), key.size()});
      if (found != known.end()) {
        out.add(found->second);
        continue;
      }
      text.clear();
      message_template(lines.values[i], text);
      out.add_text(std::string_view(text));
    }
    return out.build();
  });
}
}
