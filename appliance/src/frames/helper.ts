import { workerData } from 'node:worker_threads'
import { type HelperData, serve } from './helpers.ts'
import { instantiateKernels } from './kernels/kernels.ts'

/** One helper thread of a `Compute`. */
const data = workerData as HelperData
serve(data, instantiateKernels(data.module, data.memory, data.thread))
