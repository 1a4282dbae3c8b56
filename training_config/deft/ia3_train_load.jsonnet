// Few-shot IA3 on the weights of another run: the settings of ia3_train.jsonnet, and
//
// WEIGHTS_NAME  a state dict (`.th` or `.safetensors`), of DEFT's training, say
local env = import '../common/env.libsonnet';
(import 'ia3_train.jsonnet') { model+: { load_from_file: env.required('WEIGHTS_NAME') } }
