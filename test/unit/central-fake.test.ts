import { centralConformance } from '../conformance/central.ts';
import { FakeCentral } from '../fakes/fake-central.ts';

centralConformance('fake', async () => {
  const central = new FakeCentral();
  return { central, end: () => central.close() };
});
