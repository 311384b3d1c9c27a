//! Checks side by side, on threads that nobody waits for beyond a deadline.

use crate::lock::lock;
use crate::net::thread;
use crate::panic;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many checks run at once.
const MAX_THREADS: usize = 128;

/// How much later than its deadline a check may give its result.
const GRACE: Duration = Duration::from_millis(300);

/// Something to check, which blocks.
pub(super) struct Job<T> {
    /// It keeps to no deadline: it is left out where there is no thread for it.
    pub may_hang: bool,
    /// Gets its deadline.
    pub work: Box<dyn FnOnce(Instant) -> T + Send>,
}

struct Queue<T> {
    jobs: VecDeque<(usize, Job<T>)>,
    /// The time that each job has.
    share: Duration,
}

/// Does all jobs until the deadline, and gives the result of each in their order; none of one that has not come to an end, or did not
/// get a fair part of the time. The threads of those that hang end by themselves when they come to an end.
pub(super) fn do_all<T: Send + 'static>(
    jobs: Vec<Job<T>>,
    deadline: Instant,
    done: &mut dyn FnMut(usize),
) -> Vec<Option<T>> {
    let count = jobs.len();
    let mut results: Vec<Option<T>> = std::iter::repeat_with(|| None).take(count).collect();
    let jobs = jobs.into_iter().enumerate().collect();
    let queue = Arc::new(Mutex::new(Queue { jobs, share: Duration::ZERO }));
    let finished = Arc::new(Finished { results: Mutex::default(), changed: Condvar::new() });
    {
        // Nothing begins before it is known how many threads share the jobs.
        let mut locked = lock(&queue);
        let mut threads = 0;
        while threads < count.min(MAX_THREADS) {
            let (queue, finished) = (queue.clone(), finished.clone());
            let work = move || work(&queue, deadline, &mut |index, result| finished.add(index, result));
            if thread::spawn("mcc-netcheck", work).is_err() {
                break;
            }
            threads += 1;
        }
        let rounds = u32::try_from(count.div_ceil(threads.max(1))).unwrap_or(u32::MAX).max(1);
        locked.share = deadline.saturating_duration_since(Instant::now()) / rounds;
        if threads == 0 {
            locked.jobs.retain(|(_, job)| !job.may_hang);
            drop(locked);
            work(&queue, deadline, &mut |index, result| {
                results[index] = result;
                done(index);
            });
            return results;
        }
    }
    let end = deadline + GRACE;
    for _ in 0..count {
        let Some((index, result)) = finished.next(end) else { break };
        results[index] = result;
        done(index);
    }
    lock(&queue).jobs.clear();
    results
}

/// The results that have come and were not looked at. Not a channel of Rust's library: it ends the process where there is no memory.
struct Finished<T> {
    results: Mutex<VecDeque<(usize, Option<T>)>>,
    changed: Condvar,
}

impl<T> Finished<T> {
    fn add(&self, index: usize, result: Option<T>) {
        lock(&self.results).push_back((index, result));
        self.changed.notify_one();
    }

    /// The next one, unless none comes until then.
    fn next(&self, until: Instant) -> Option<(usize, Option<T>)> {
        let mut results = lock(&self.results);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match results.pop_front() {
                None if left.is_zero() => return None,
                None => results = self.changed.wait_timeout(results, left).unwrap_or_else(PoisonError::into_inner).0,
                result => return result,
            }
        }
    }
}

fn work<T>(queue: &Mutex<Queue<T>>, deadline: Instant, done: &mut dyn FnMut(usize, Option<T>)) {
    loop {
        let mut locked = lock(queue);
        let share = locked.share;
        let Some((index, job)) = locked.jobs.pop_front() else { return };
        drop(locked);
        let now = Instant::now();
        // With much less time than planned it would blame the network for what this device did not try.
        let fair = deadline.saturating_duration_since(now) >= share / 2;
        let until = deadline.min(now + share);
        done(index, if fair { panic::guard(None, || Some((job.work)(until))) } else { None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn job<T>(work: impl FnOnce(Instant) -> T + Send + 'static) -> Job<T> {
        Job { may_hang: false, work: Box::new(work) }
    }

    #[test]
    fn as_many_jobs_as_there_are_threads_run_at_once_and_results_keep_their_order() {
        let all_run = Arc::new(Barrier::new(MAX_THREADS));
        let jobs = (0..MAX_THREADS).map(|index| {
            let all_run = all_run.clone();
            job(move |_| {
                all_run.wait();
                index
            })
        });
        let mut done = 0;
        let results = do_all(jobs.collect(), Instant::now() + PATIENCE, &mut |_| done += 1);
        assert_eq!(results, (0..MAX_THREADS).map(Some).collect::<Vec<_>>());
        assert_eq!(done, MAX_THREADS);
    }

    #[test]
    fn jobs_beyond_the_bound_have_their_part_of_the_time() {
        let deadline = Instant::now() + PATIENCE;
        let jobs = (0..MAX_THREADS * 2 + 1).map(|_| job(|until| until)).collect();
        let results = do_all(jobs, deadline, &mut |_| {});
        let share = PATIENCE / 3;
        assert!(results.iter().all(|until| until.is_some_and(|until| until <= deadline && until + share < deadline)));
    }

    #[test]
    fn a_job_that_hangs_or_panics_takes_no_result_from_others() {
        let (end, hangs) = std::sync::mpsc::channel::<()>();
        let jobs = vec![
            job(move |_| hangs.recv().unwrap_or_default()),
            job(|_| panic!("deliberate")),
            job(|until| std::thread::sleep(until.saturating_duration_since(Instant::now()) / 10)),
        ];
        let start = Instant::now();
        let results = do_all(jobs, start + Duration::from_millis(500), &mut |_| {});
        assert_eq!(results, [None, None, Some(())]);
        assert!(start.elapsed() < Duration::from_secs(30));
        drop(end);
    }

    #[test]
    fn a_job_without_a_fair_part_of_the_time_does_not_begin() {
        let queue = Mutex::new(Queue { jobs: VecDeque::from([(0, job(|_| ()))]), share: PATIENCE });
        let mut results = Vec::new();
        work(&queue, Instant::now() + PATIENCE / 3, &mut |index, result| results.push((index, result)));
        assert_eq!(results, [(0, None)]);
    }
}
