import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The order of test files: project by project, since a worker serves one project at a time, and in each the folders of raw
 * cases first. They take longest by far, and one that began last would keep one worker busy when the others are done.
 */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const names = this.ctx.projects.map(({ name }) => name);
    const rank = ({ project, moduleId }: TestSpecification) =>
      names.indexOf(project.name) * 2 + Number(!moduleId.includes("/test/security/"));
    return sorted.sort((a, b) => rank(a) - rank(b));
  }
}
