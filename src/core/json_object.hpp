// JSON text read where it stands: the elements of an array and the members of an object, without
// building either.
#pragma once

#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/fact.hpp"
#include "core/json_text.hpp"

namespace vigil {

// The elements of a text that starts as an array does, and where it stops being one. Elements are
// told apart by strings and brackets alone, so a bad one does not take the others along; what they
// hold is not checked.
struct JsonElements {
  bool is_array = false;
  std::pmr::vector<std::string_view> items;
  std::optional<JsonFault> fault;
};

JsonElements split_json_array(std::string_view text, std::pmr::memory_resource* resource);

struct JsonMember {
  std::string_view key;
  JsonValue value;  // of an object or array the text, without a container
};

// Puts the members of an object that check_json() has passed in place of what `members` has, as
// jsonb would have them: shorter keys first, of equal keys the last. Texts with escapes are written
// to the resource, others are views.
void read_json_object(std::string_view checked, std::pmr::memory_resource* resource,
                      std::pmr::vector<JsonMember>& members);

}  // namespace vigil
