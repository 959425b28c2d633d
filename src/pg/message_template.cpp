#include "core/message_template.hpp"

#include "pg/boundary.hpp"

using namespace vigil;
using namespace vigil::pg;

extern "C" {

PG_FUNCTION_INFO_V1(vigil_message_template);
Datum vigil_message_template(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource memory(CurrentMemoryContext);
    std::pmr::string out(&memory);
    message_template(text_view(PG_GETARG_DATUM(0)), out);
    return text_datum(out);
  });
}

PG_FUNCTION_INFO_V1(vigil_template_key);
Datum vigil_template_key(PG_FUNCTION_ARGS) {
  return entry([&] {
    const TemplateKey key = template_key(text_view(PG_GETARG_DATUM(0)));
    return text_datum({key.data(), key.size()});
  });
}
}
