//! The interactive screen: keys move through the frames.

use super::draw::{LEGEND, lines};
use super::film::Film;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};
use ratatui::{DefaultTerminal, Frame};

const HELP: &str = "\
right, space, n     next step
left, backspace, p  step back
page down, page up  ten steps
] and [             next and last step with messages
home, end           first and last step
down, up            scroll
?                   this help
q, escape           leave";

/// Where one is.
#[derive(Default)]
pub struct Position {
    frame: usize,
    scroll: u16,
    help: bool,
}

/// Whether to go on.
#[derive(PartialEq, Debug)]
pub enum Next {
    Stay,
    Leave,
}

impl Position {
    /// What a key does.
    pub fn key(&mut self, film: &Film, key: KeyCode) -> Next {
        let last = film.frames.len().saturating_sub(1);
        if std::mem::take(&mut self.help) && key != KeyCode::Char('q') {
            return Next::Stay;
        }
        let sends = |k: &usize| !film.frames[*k].messages.is_empty();
        self.frame = match key {
            KeyCode::Char('q') | KeyCode::Esc => return Next::Leave,
            KeyCode::Right | KeyCode::Char(' ' | 'n' | 'l') => self.frame + 1,
            KeyCode::Left | KeyCode::Backspace | KeyCode::Char('p' | 'h') => self.frame.saturating_sub(1),
            KeyCode::PageDown => self.frame + 10,
            KeyCode::PageUp => self.frame.saturating_sub(10),
            KeyCode::Home => 0,
            KeyCode::End => last,
            KeyCode::Char(']') => (self.frame + 1..=last).find(sends).unwrap_or(self.frame),
            KeyCode::Char('[') => (0..self.frame).rev().find(sends).unwrap_or(self.frame),
            _ => self.frame,
        }
        .min(last);
        match key {
            KeyCode::Down | KeyCode::Char('j') => self.scroll = self.scroll.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Char('?') => self.help = true,
            _ => {}
        }
        Next::Stay
    }

    /// Draws the screen.
    pub fn draw(&mut self, film: &Film, only: &[String], screen: &mut Frame) {
        let [head, body, foot] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)]).areas(screen.area());
        screen.render_widget(Line::styled(film.title.clone(), Style::new().add_modifier(Modifier::REVERSED)), head);
        let content = lines(film, self.frame, body.width as usize, only);
        self.scroll = self.scroll.min((content.len() as u16).saturating_sub(body.height));
        screen.render_widget(Paragraph::new(content).scroll((self.scroll, 0)), body);
        screen.render_widget(Line::from(format!("{LEGEND}   ? help   q leave")), foot);
        if self.help {
            let [_, middle, _] =
                Layout::vertical([Constraint::Min(0), Constraint::Length(10), Constraint::Min(0)]).areas(body);
            let [_, area, _] =
                Layout::horizontal([Constraint::Min(0), Constraint::Length(56), Constraint::Min(0)]).areas(middle);
            screen.render_widget(Clear, area);
            screen.render_widget(Paragraph::new(HELP).block(Block::bordered().title("keys")), area);
        }
    }
}

/// Shows a film until the user leaves.
pub fn show(film: &Film, only: &[String]) -> std::io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let done = watch(film, only, &mut terminal);
    ratatui::restore();
    done
}

fn watch(film: &Film, only: &[String], terminal: &mut DefaultTerminal) -> std::io::Result<()> {
    let mut at = Position::default();
    loop {
        terminal.draw(|screen| at.draw(film, only, screen))?;
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            let stop = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if stop || at.key(film, key.code) == Next::Leave {
                return Ok(());
            }
        }
    }
}
