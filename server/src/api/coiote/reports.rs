//! Reports of tasks: one, many, page by page, and counted (contract 2.5 and 3.5).

use serde_json::{Value, json};

use super::{Answer, Asked, Refusal, criteria::Criteria, ok};
use crate::{
    core::{
        tasks::{Cursor, Job, Report, Status, Summary, Task},
        time::iso,
    },
    server::State,
};

/// Reports of one answer, at most.
const LARGEST_BATCH: usize = 1_000;

impl Asked<'_> {
    /// `GET /taskReports/{taskId}/{deviceId}`: 4041 until the task has ended there.
    pub(super) fn get_report(&self, task: &str, device: &str) -> Result<Answer, Refusal> {
        let state = self.server.state();
        let found = self.own_task(&state, task)?;
        let job = found.job(device);
        let job = job.ok_or_else(|| Refusal::not_found("The task is not for this device."))?;
        let report = job.report().ok_or_else(Refusal::not_executed)?;
        ok(shown(task, device, report))
    }

    /// `GET /taskReports/summary?taskId=`, of a task on a group or on a device.
    pub(super) fn summary(&self) -> Result<Answer, Refusal> {
        let id = self.query.text("taskId");
        let id = id.ok_or_else(|| Refusal::malformed("taskId is needed"))?;
        let state = self.server.state();
        ok(counted(self.own_task(&state, id)?.summary()))
    }

    /// `GET /taskReports`: which there are.
    pub(super) fn list_reports(&self) -> Result<Answer, Refusal> {
        let criteria = Criteria::parse(self.query.text("searchCriteria"))?;
        let state = self.server.state();
        let reports = self.reports(&state, criteria, None);
        let ids = reports.map(|(task, device, _)| json!({"taskId": task.id, "deviceId": device}));
        ok(ids.collect())
    }

    /// `GET /taskReports/findReports` -> the number of a place in front of the first one.
    pub(super) fn find_reports(&self) -> Result<Answer, Refusal> {
        let criteria = self.query.text("searchCriteria");
        Criteria::parse(criteria)?;
        let place = Cursor {
            owner: self.owner.clone(),
            criteria: criteria.map(str::to_owned),
            after: None,
        };
        ok(json!(self.server.state().cursors.add(place)))
    }

    /// `GET /taskReports/moreReports?cursor=&count=`: what follows a place, and the next place.
    pub(super) fn more_reports(&self) -> Result<Answer, Refusal> {
        let number = |name: &str| {
            let text = self.query.text(name).unwrap_or_default();
            text.parse::<u64>()
                .map_err(|_| Refusal::malformed(format!("{name} is a number, not `{text}`")))
        };
        let cursor = number("cursor")?;
        let count = usize::try_from(number("count")?).ok();
        let count = count.filter(|it| (1..=LARGEST_BATCH).contains(it));
        let count =
            count.ok_or_else(|| Refusal::limit(format!("count is 1 to {LARGEST_BATCH}")))?;
        let mut state = self.server.state();
        let place = state.cursors.get(&self.owner, cursor).cloned();
        let mut place = place.ok_or_else(|| Refusal::not_found("Cursor not found."))?;
        let criteria = Criteria::parse(place.criteria.as_deref())?;
        let found = self.reports(&state, criteria, place.after.as_ref());
        let mut after = None;
        let batch: Vec<Value> = found
            .take(count)
            .map(|(task, device, report)| {
                after = Some((task.id.clone(), device.clone()));
                shown(&task.id, device, report)
            })
            .collect();
        place.after = after.or(place.after);
        let next = state.cursors.add(place);
        ok(json!({"batch": batch, "nextCursor": next}))
    }

    /// All reports of this account that meet the criteria, in the order of their ids.
    fn reports<'a>(
        &'a self,
        state: &'a State,
        criteria: Option<Criteria>,
        after: Option<&'a (String, String)>,
    ) -> impl Iterator<Item = (&'a Task, &'a String, &'a Report)> {
        let tasks = state.tasks.of_owner(&self.owner);
        let of_task = |task: &'a Task| {
            let report =
                move |(device, job): (&'a String, &'a Job)| Some((task, device, job.report()?));
            task.jobs().filter_map(report)
        };
        let later = move |(task, device, _): &(&Task, &String, &Report)| {
            after.is_none_or(|(id, of)| (&task.id, *device) > (id, of))
        };
        let meets = move |(task, device, report): &(&Task, &String, &Report)| {
            let holds = |it: &Criteria| it.holds(&shown(&task.id, device, report));
            criteria.as_ref().is_none_or(holds)
        };
        tasks.flat_map(of_task).filter(later).filter(meets)
    }
}

/// A report. `blocking` is no echo of the parameter: the how-to's are `false` (contract 3.2).
fn shown(task: &str, device: &str, report: &Report) -> Value {
    let properties = report.properties.iter();
    let properties = properties.map(|(name, value)| json!({"name": name, "value": value}));
    let status = match report.status {
        Status::Success => "Success",
        Status::Error => "Error",
    };
    json!({
        "taskId": task,
        "deviceId": device,
        "startTime": iso(report.started),
        "finishTime": iso(report.finished),
        "lastUpdateTime": iso(report.updated),
        "status": status,
        "summary": report.summary,
        "blocking": false,
        "properties": properties.collect::<Vec<_>>(),
    })
}

fn counted(summary: Summary) -> Value {
    let completed = summary.completed();
    json!({
        "totalScheduled": summary.scheduled,
        "inProgress": summary.in_progress,
        "completed": completed,
        "successes": summary.successes,
        "failures": summary.failures,
        "notCompleted": summary.scheduled - completed,
        "completionRate": ratio(completed, summary.scheduled),
        "successRate": ratio(summary.successes, completed),
        "failureRate": ratio(summary.failures, completed),
    })
}

/// A ratio; a whole one is an integer, because the Python client takes no `1.0` (contract T4).
fn ratio(part: usize, whole: usize) -> Value {
    match part {
        0 => json!(0),
        _ if part == whole => json!(1),
        _ => json!(part as f64 / whole as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_integers_where_they_can_be() {
        let counted = |scheduled, in_progress, successes, failures| {
            counted(Summary {
                scheduled,
                in_progress,
                successes,
                failures,
            })
        };
        let all = json!({
            "totalScheduled": 3, "inProgress": 0, "completed": 3, "successes": 3, "failures": 0,
            "notCompleted": 0, "completionRate": 1, "successRate": 1, "failureRate": 0
        });
        assert_eq!(counted(3, 0, 3, 0).to_string(), all.to_string());
        assert_eq!(counted(0, 0, 0, 0)["completionRate"].to_string(), "0");
        let some = counted(4, 1, 1, 1);
        assert_eq!(some["completionRate"].to_string(), "0.5");
        assert_eq!(some["notCompleted"], 2);
        assert_eq!(some["successRate"].to_string(), "0.5");
    }
}
