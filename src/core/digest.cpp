#include "core/digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <limits>

#include "core/error.hpp"

namespace vigil {
namespace {

void require(bool good) {
  if (!good) throw Error(Code::kInternal, "could not compute a SHA-256 digest");
}

// Looked up once: by name, OpenSSL 3 would look it up anew for every digest. Lives as long as the
// process.
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

// A digest of bytes that come in parts. One context serves all digests of a thread, one after the
// other: making and clearing one costs as much as a short digest. It lives as long as the thread.
class Sha256 {
 public:
  Sha256() {
    static thread_local EVP_MD_CTX* const context = EVP_MD_CTX_new();
    context_ = context;
    require(context_ != nullptr && sha256_algorithm() != nullptr &&
            EVP_DigestInit_ex(context_, sha256_algorithm(), nullptr) == 1);
  }

  void add(const void* bytes, std::size_t size) {
    require(EVP_DigestUpdate(context_, bytes, size) == 1);
  }

  Digest finish() {
    Digest digest{};
    unsigned size = 0;
    require(EVP_DigestFinal_ex(context_, digest.data(), &size) == 1 && size == digest.size());
    return digest;
  }

 private:
  EVP_MD_CTX* context_;
};

std::array<std::uint8_t, 8> big_endian(std::uint64_t value) {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
  return bytes;
}

}  // namespace

Digest sha256(std::string_view text) {
  Sha256 hash;
  hash.add(text.data(), text.size());
  return hash.finish();
}

Digest sha256_fields(std::span<const std::string_view> fields) {
  Sha256 hash;
  for (const std::string_view field : fields) {
    const auto size = big_endian(field.size());
    hash.add(size.data(), size.size());
    hash.add(field.data(), field.size());
  }
  return hash.finish();
}

Digest sha256_fields(std::initializer_list<std::string_view> fields) {
  return sha256_fields(std::span(fields.begin(), fields.size()));
}

Digest hmac_sha256(std::string_view key, std::string_view message) {
  Digest digest{};
  unsigned size = 0;
  require(key.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
  // An empty key needs an address: a null pointer would mean the key of an earlier call.
  const char* bytes = key.empty() ? "" : key.data();
  const auto* text = reinterpret_cast<const std::uint8_t*>(message.data());
  require(HMAC(EVP_sha256(), bytes, static_cast<int>(key.size()), text, message.size(),
               digest.data(), &size) != nullptr);
  return digest;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace vigil
