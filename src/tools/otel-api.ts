// Owns the one import of @opentelemetry/api: what the other files use of it.

export {
  type Attributes,
  context,
  type Histogram,
  type HrTime,
  type Meter,
  type MeterProvider,
  metrics,
  type Observable,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
