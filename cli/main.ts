/** The command line. Each command is a file of its own; this one only puts them together. */
import '../daemon/no-telemetry.ts';
import { addAppCommands } from './commands/app.ts';
import { addApprovalsCommands } from './commands/approvals.ts';
import { addAskCommand } from './commands/ask.ts';
import { addBagCommands } from './commands/bag/bag-commands.ts';
import { addCentralCommand } from './commands/central.ts';
import { addChatCommand } from './commands/chat.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addConfigCommands } from './commands/config.ts';
import { addConsoleCommand } from './commands/console.ts';
import { addControllerCommands } from './commands/controllers.ts';
import { addDatasetCommands } from './commands/dataset.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addEngineCommands } from './commands/engine.ts';
import { addEstopCommands } from './commands/estop.ts';
import { addEventsCommand } from './commands/events.ts';
import { addExtensionsCommands } from './commands/extensions.ts';
import { addFlowCommands } from './commands/flow.ts';
import { addFlywheelCommand } from './commands/flywheel.ts';
import { addInferCommands } from './commands/infer.ts';
import { addIntentCommands } from './commands/intent.ts';
import { addLakeCommands } from './commands/lake.ts';
import { addLeaseCommands } from './commands/lease.ts';
import { addLinkCommands } from './commands/link.ts';
import { addLogCommands } from './commands/log.ts';
import { addManCommand } from './commands/man.ts';
import { addMcpCommands } from './commands/mcp.ts';
import { addModelsCommands } from './commands/models.ts';
import { addOrdersCommands } from './commands/orders.ts';
import { addPlanCommand } from './commands/plan.ts';
import { addPolicyCommands } from './commands/policy.ts';
import { addQueryCommand } from './commands/query.ts';
import { addQuestionsCommands } from './commands/questions.ts';
import { addRecallCommand } from './commands/recall.ts';
import { addRecordingCommands } from './commands/recording.ts';
import { addReloadCommand } from './commands/reload.ts';
import { addRosCommands, addServicesCommands } from './commands/ros.ts';
import { addRoutesCommand } from './commands/routes.ts';
import { addRunCommands } from './commands/run.ts';
import { addRunsCommands } from './commands/runs.ts';
import { addRuntimesCommands } from './commands/runtimes.ts';
import { addSandboxCommands } from './commands/sandbox.ts';
import { addSchedulesCommand } from './commands/schedules.ts';
import { addServiceCommands } from './commands/service.ts';
import { addSimCommands } from './commands/sim.ts';
import { addSkillsCommands } from './commands/skills.ts';
import { addStatusCommand } from './commands/status.ts';
import { addStopCommand } from './commands/stop.ts';
import { addTeleopCommand } from './commands/teleop.ts';
import { addTopCommand } from './commands/top.ts';
import { addPlotCommand, addTopicsCommands } from './commands/topics.ts';
import { addUpCommand } from './commands/up.ts';
import { addWatchCommand } from './commands/watch.ts';
import { addZenohCommands } from './commands/zenoh.ts';
import { makeProgram, runProgram } from './program.ts';

const program = makeProgram();
for (const add of [
  addDemoCommand,
  addUpCommand,
  addReloadCommand,
  addStatusCommand,
  addTopCommand,
  addWatchCommand,
  addConsoleCommand,
  addStopCommand,
  addEstopCommands,
  addLeaseCommands,
  addTeleopCommand,
  addIntentCommands,
  addAskCommand,
  addChatCommand,
  addRunsCommands,
  addQuestionsCommands,
  addRuntimesCommands,
  addSkillsCommands,
  addAppCommands,
  addFlowCommands,
  addExtensionsCommands,
  addFlywheelCommand,
  addSimCommands,
  addRunCommands,
  addSchedulesCommand,
  addModelsCommands,
  addEngineCommands,
  addPlanCommand,
  addInferCommands,
  addApprovalsCommands,
  addPolicyCommands,
  addRoutesCommand,
  addEventsCommand,
  addQueryCommand,
  addBagCommands,
  addRecallCommand,
  addRecordingCommands,
  addControllerCommands,
  addDatasetCommands,
  addLakeCommands,
  addLinkCommands,
  addMcpCommands,
  addSandboxCommands,
  addLogCommands,
  addConfigCommands,
  addDoctorCommand,
  addRosCommands,
  addTopicsCommands,
  addServicesCommands,
  addPlotCommand,
  addZenohCommands,
  addCentralCommand,
  addOrdersCommands,
  addServiceCommands,
  addCompletionCommand,
  addManCommand,
]) {
  add(program);
}
await runProgram(program);
