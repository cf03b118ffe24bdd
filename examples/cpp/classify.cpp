// Labels of texts by a bundle, without Python: tokens by its tokenizer.json, logits by ONNX Runtime's C API.
//
//     classify BUNDLE [--variant fp32|int8] TEXT ...
//
// Prints a line of JSON for each text: label to score. Reads bundles for text-classification whose tokenizer is a list
// of words, as `kerasllm train` makes it by default, and texts in ASCII: there, this is what the tokenizer does, to the
// token. (For other tokenizers and texts, bind the library `tokenizers`, which is written in Rust.)

#include <onnxruntime_c_api.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

using nlohmann::json;

namespace {

json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("A bundle must have " + path + ". It cannot be read.");
  return json::parse(file);
}

// ---------------------------------------------------------------- tokens

/// A tokenizer.json of whole words: what it does to a text, and each word's id.
class WordTokenizer {
 public:
  explicit WordTokenizer(const json& file) {
    const json& model = file.at("model");
    if (model.at("type") != "WordLevel") {
      throw std::runtime_error("The tokenizer must be WordLevel. Received: " + model.at("type").get<std::string>() + ".");
    }
    for (const auto& [word, id] : model.at("vocab").items()) ids_[word] = id.get<int64_t>();
    unknown_ = ids_.at(model.at("unk_token").get<std::string>());
    read_normalizer(file.at("normalizer"));
    const std::string splitter = file.at("pre_tokenizer").is_null() ? "" : file.at("pre_tokenizer").at("type");
    if (splitter != "BertPreTokenizer" && splitter != "Whitespace") {
      throw std::runtime_error("Words must be split by BertPreTokenizer or Whitespace. Received: '" + splitter + "'.");
    }
    single_marks_ = splitter == "BertPreTokenizer";
    for (const json& added : file.at("added_tokens")) added_.push_back(added.at("content"));
    if (!file.at("post_processor").is_null()) throw std::runtime_error("A post-processor is not known here.");
  }

  /// Ids of the words of an ASCII text; `limit` of them at most.
  std::vector<int64_t> encode(const std::string& text, size_t limit) const {
    for (const std::string& added : added_) {
      if (text.find(added) != std::string::npos) throw std::runtime_error("A text must not hold " + added + " here.");
    }
    std::vector<int64_t> ids;
    std::string word;
    auto end_word = [&] {
      if (word.empty()) return;
      const auto found = ids_.find(word);
      ids.push_back(found == ids_.end() ? unknown_ : found->second);
      word.clear();
    };
    bool marks = false;  // whether the word so far is of punctuation
    for (const unsigned char c : text) {
      if (c >= 0x80) throw std::runtime_error("A text must be ASCII here. Received: '" + text + "'.");
      if (std::isspace(c)) {
        end_word();
      } else if (std::iscntrl(c) && cleans_) {
        continue;
      } else {
        const bool mark = single_marks_ ? std::ispunct(c) != 0 : !(std::isalnum(c) || c == '_');
        if (mark != marks || (mark && single_marks_)) end_word();
        marks = mark;
        word += static_cast<char>(lowers_ ? std::tolower(c) : c);
      }
    }
    end_word();
    if (ids.size() > limit) ids.resize(limit);
    return ids;
  }

 private:
  /// Of what normalizers do, only this touches ASCII: lower case, and control characters that go.
  void read_normalizer(const json& part) {
    if (part.is_null()) return;
    const std::string type = part.at("type");
    if (type == "Sequence") {
      for (const json& each : part.at("normalizers")) read_normalizer(each);
    } else if (type == "Lowercase") {
      lowers_ = true;
    } else if (type == "BertNormalizer") {
      lowers_ = lowers_ || part.at("lowercase").get<bool>();
      cleans_ = part.at("clean_text").get<bool>();
    } else if (type != "NFC" && type != "NFKC" && type != "NFD" && type != "NFKD" && type != "StripAccents") {
      throw std::runtime_error("The normalizer " + type + " is not known here.");
    }
  }

  std::unordered_map<std::string, int64_t> ids_;
  std::vector<std::string> added_;
  int64_t unknown_ = 0;
  bool lowers_ = false, cleans_ = false, single_marks_ = false;
};

// ---------------------------------------------------------------- the graph

const OrtApi& ort() {
  // The header's version, which any library of the same version or a later one serves.
  static const OrtApi* api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (!api) throw std::runtime_error("ONNX Runtime is older than the header that this was compiled with.");
  return *api;
}

void check(OrtStatus* status) {
  if (!status) return;
  const std::string message = ort().GetErrorMessage(status);
  ort().ReleaseStatus(status);
  throw std::runtime_error("ONNX Runtime: " + message);
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

/// What `make` writes to the pointer it is given, released by `release` in the end.
template <typename T, typename Make>
Owned<T> owned(void (*release)(T*), Make make) {
  T* found = nullptr;
  check(make(&found));
  return {found, release};
}

/// A graph of token ids, and of a mask where it has one, with one output of logits.
class Graph {
 public:
  Graph(const std::string& path, const json& inputs, std::string output)
      : output_(std::move(output)),
        environment_(owned<OrtEnv>(ort().ReleaseEnv, [](OrtEnv** made) {
          return ort().CreateEnv(ORT_LOGGING_LEVEL_WARNING, "kerasllm", made);
        })),
        session_(open(path)),
        memory_(owned<OrtMemoryInfo>(ort().ReleaseMemoryInfo, [](OrtMemoryInfo** made) {
          return ort().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, made);
        })) {
    for (const auto& [role, name] : inputs.items()) {
      if (role != "input_ids" && role != "attention_mask") throw std::runtime_error("The input " + role + " is not known here.");
      roles_.emplace_back(role, name.get<std::string>());
    }
  }

  /// Logits of one text of at least one token.
  std::vector<float> run(std::vector<int64_t> ids) const {
    std::vector<int64_t> mask(ids.size(), 1);
    const int64_t shape[] = {1, static_cast<int64_t>(ids.size())};
    std::vector<Owned<OrtValue>> values;
    std::vector<const char*> names;
    std::vector<const OrtValue*> feeds;
    for (const auto& [role, name] : roles_) {
      std::vector<int64_t>& data = role == "input_ids" ? ids : mask;
      values.push_back(owned<OrtValue>(ort().ReleaseValue, [&](OrtValue** made) {
        return ort().CreateTensorWithDataAsOrtValue(memory_.get(), data.data(), data.size() * sizeof(int64_t), shape, 2,
                                                    ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, made);
      }));
      names.push_back(name.c_str());
      feeds.push_back(values.back().get());
    }
    const char* output = output_.c_str();
    const auto result = owned<OrtValue>(ort().ReleaseValue, [&](OrtValue** made) {
      return ort().Run(session_.get(), nullptr, names.data(), feeds.data(), feeds.size(), &output, 1, made);
    });
    return floats(result.get());
  }

 private:
  Owned<OrtSession> open(const std::string& path) const {
    const auto options = owned<OrtSessionOptions>(ort().ReleaseSessionOptions, ort().CreateSessionOptions);
    check(ort().SetIntraOpNumThreads(options.get(), 1));  // a text is too little work for more
    return owned<OrtSession>(ort().ReleaseSession, [&](OrtSession** made) {
      return ort().CreateSession(environment_.get(), path.c_str(), options.get(), made);
    });
  }

  static std::vector<float> floats(OrtValue* value) {
    const auto about = owned<OrtTensorTypeAndShapeInfo>(ort().ReleaseTensorTypeAndShapeInfo, [&](auto** made) {
      return ort().GetTensorTypeAndShape(value, made);
    });
    size_t count = 0;
    void* data = nullptr;
    check(ort().GetTensorShapeElementCount(about.get(), &count));
    check(ort().GetTensorMutableData(value, &data));
    const float* first = static_cast<float*>(data);
    return {first, first + count};
  }

  std::string output_;
  Owned<OrtEnv> environment_;
  Owned<OrtSession> session_;
  Owned<OrtMemoryInfo> memory_;
  std::vector<std::pair<std::string, std::string>> roles_;
};

// ---------------------------------------------------------------- the task

double logistic(double logit) { return 1 / (1 + std::exp(-logit)); }

/// Probabilities of the labels; of one logit for two labels, the second one's and what is left for the first.
std::vector<double> probabilities(const std::vector<float>& logits, const json& manifest) {
  std::vector<double> scores(logits.begin(), logits.end());
  if (manifest.at("activation") == "none") return scores;
  if (manifest.at("activation") == "sigmoid") {
    for (double& score : scores) score = logistic(score);
    if (scores.size() == 1 && manifest.at("labels").size() == 2) scores.insert(scores.begin(), 1 - scores[0]);
    return scores;
  }
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - most);
  for (double& score : scores) score /= sum;
  return scores;
}

int run(const std::string& bundle, std::string variant, const std::vector<std::string>& texts) {
  const json manifest = read_json(bundle + "/kerasllm.json");
  if (manifest.at("task") != "text-classification") {
    throw std::runtime_error("The bundle must be for text-classification. Received: " + manifest.at("task").get<std::string>() + ".");
  }
  if (variant.empty()) variant = manifest.at("default_variant");
  if (!manifest.at("variants").contains(variant)) throw std::runtime_error("The bundle has no variant " + variant + ".");
  const WordTokenizer tokenizer(read_json(bundle + "/tokenizer.json"));
  const std::string file = manifest.at("variants").at(variant).at("file");
  const Graph graph(bundle + "/" + file, manifest.at("inputs"), manifest.at("outputs").at(0));
  const json& preprocessing = manifest.at("preprocessing");
  for (const std::string& text : texts) {
    std::vector<int64_t> ids = tokenizer.encode(text, preprocessing.at("max_length"));
    if (ids.empty()) ids.push_back(preprocessing.at("pad_token_id"));
    const std::vector<double> scores = probabilities(graph.run(ids), manifest);
    json answer = json::object();
    for (size_t place = 0; place < scores.size(); ++place) {
      answer[manifest.at("labels").at(place).get<std::string>()] = scores[place];
    }
    std::cout << answer << "\n";
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> texts(arguments + 1, arguments + count);
  std::string variant;
  const auto flag = std::find(texts.begin(), texts.end(), "--variant");
  if (texts.end() - flag > 1) {
    variant = flag[1];
    texts.erase(flag, flag + 2);
  }
  if (texts.size() < 2) {
    std::cerr << "usage: classify BUNDLE [--variant fp32|int8] TEXT ...\n";
    return 2;
  }
  try {
    const std::string bundle = texts.front();
    texts.erase(texts.begin());
    return run(bundle, variant, texts);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
