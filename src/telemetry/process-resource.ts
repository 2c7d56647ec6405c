import { resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';

export interface ServiceName {
  readonly serviceName: string;
  readonly serviceVersion: string;
}

/** Who speaks, in metrics and traces alike. */
export function processResource({ serviceName, serviceVersion }: ServiceName): Resource {
  return resourceFromAttributes({ [ATTR_SERVICE_NAME]: serviceName, [ATTR_SERVICE_VERSION]: serviceVersion });
}
